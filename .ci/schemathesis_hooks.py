"""What a schema cannot say of requests, so that schemathesis makes none that are refused for it."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    # One request, one key.
    if "Idempotency-Key" in headers and not broken(case):
        headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
    # One of the two, says RFC 9110; both together are 400.
    if "If-Match" in headers and "If-None-Match" in headers and not broken(case):
        del headers["If-None-Match"]
    # Only the API makes cursors.
    if case.query and "cursor" in case.query and not broken(case):
        del case.query["cursor"]


def broken(case):
    """Whether the request breaks the schema on purpose."""
    return bool(case.meta) and case.meta.generation.mode.is_negative
