"""Who sends the requests, and what a schema cannot say of them, so that schemathesis makes none that
are refused for it."""

import os
import re
import uuid

import requests
import schemathesis

# Nobody of the document's examples: what requests do to Maya is not done to who sends them.
ROBIN = {"email": "robin@example.com", "password": "robin-likes-lighthouses"}

KEY = re.compile(r'"?[!#-+\--\[\]-~]{1,255}"?')


def post(path, body):
    answer = requests.post(os.environ["API_URL"] + path, json=body)
    answer.raise_for_status()
    return answer.json()


def register():
    post("/v1/accounts", ROBIN | {"displayName": "Robin"})


@schemathesis.auth(refresh_interval=600)
class SignedIn:
    """A token is good for 15 minutes: a new one every ten, and where a request has ended the session."""

    def get(self, case, context):
        return post("/v1/sessions", ROBIN)["tokens"]["accessToken"]

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    # One request, one key. With a key that was sent before, whatever it is that breaks the schema
    # is not looked at: the answer is the one that was given before.
    if KEY.fullmatch(headers.get("Idempotency-Key") or "") and not lacks_something(case):
        headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
    if breaks_the_schema(case):
        return
    if case.method == "PUT" and "If-None-Match" in headers:
        # One of the two, says RFC 9110; both together are 400.
        if "If-Match" in headers:
            del headers["If-None-Match"]
        # Its pattern allows nothing else, and schemathesis makes longer texts of it.
        else:
            headers["If-None-Match"] = "*"
    # A version that is made up is never the present one.
    if "If-Match" in headers:
        headers["If-Match"] = "*"
    # Nobody knows the password of who is signed in, except for this.
    if case.operation.definition.raw["operationId"] == "change_password":
        case.body["currentPassword"] = ROBIN["password"]
    # Only the API makes cursors.
    if case.query and "cursor" in case.query:
        del case.query["cursor"]


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.definition.raw["operationId"] == "change_password" and response.status_code < 300:
        ROBIN["password"] = case.body["newPassword"]


def breaks_the_schema(case):
    return bool(case.meta) and case.meta.generation.mode.is_negative


def lacks_something(case):
    """Whether a header is left out on purpose; a change of the others would bring it back."""
    scenario = getattr(case.meta.phase.data, "scenario", None) if case.meta else None
    return scenario is not None and scenario.name == "MISSING_PARAMETER"
