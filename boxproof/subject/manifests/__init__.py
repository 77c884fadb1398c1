"""The subject's objects: rendered, derived for an instance, compared, charted."""
