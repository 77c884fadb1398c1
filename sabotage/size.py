"""Sabotages of the image's size."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import image_sabotage

BLOB = "USER root\nRUN head -c {} /dev/{} > /blob\nUSER 1000:1000"

image_sabotage(
    "noise", "image-under-2gb-compressed", "one more layer of noise than the declared budget has room for",
    dockerfile=BLOB.format("450M", "urandom"),
)  # fmt: skip
image_sabotage(
    "fat_layer", "no-layer-over-500mb", "one layer of 600 MB, though it compresses to nothing",
    dockerfile=BLOB.format("600M", "zero"),
)  # fmt: skip
image_sabotage(
    "deleted_later", "no-wasted-layer-bytes", "30 MB are added by one layer and deleted by the next",
    dockerfile="USER root\nRUN head -c 30M /dev/urandom > /big\nRUN rm /big\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "another_tool", "size-regression-under-100mb", "a change adds a tool of 120 MB",
    dockerfile=BLOB.format("115M", "urandom"),
)  # fmt: skip
image_sabotage(
    "owner_changed_later", "no-wasted-layer-bytes",
    "a later layer changes the owner of 30 MB, and so copies them",
    dockerfile="USER root\nRUN head -c 30M /dev/urandom > /big\nRUN chown 1000:1000 /big\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "directory_replaced", "no-wasted-layer-bytes", "a file takes the place of a directory with 30 MB",
    dockerfile="USER root\nRUN mkdir /big && head -c 30M /dev/urandom > /big/x"
    "\nRUN rm -r /big && echo small > /big\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "directory_replaced_by_a_link", "no-wasted-layer-bytes",
    "a link takes the place of a directory with 30 MB",
    dockerfile="USER root\nRUN mkdir /opt/big && head -c 30M /dev/urandom > /opt/big/x"
    "\nRUN rm -r /opt/big && ln -s /elsewhere /opt/big\nUSER 1000:1000",
)  # fmt: skip
