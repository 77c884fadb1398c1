# The box with one more program, from a place that asks for a password. The password is lent to one step, as a netrc
# file, and stays in no layer, no history and no record of the build:
#   docker buildx build --secret id=netrc,src=$HOME/.netrc --build-arg BOX=… --build-arg URL=… -f image/private.Dockerfile image
ARG BOX
FROM ${BOX}
ARG URL
ARG NAME=private-tool
USER root
RUN --mount=type=secret,id=netrc,required=true \
    curl -fsS --netrc-file /run/secrets/netrc -o "/usr/local/bin/${NAME}" "${URL}" \
    && chmod 755 "/usr/local/bin/${NAME}"
USER 1000:1000
