"""A partner who follows the signed face's document, with the openssl and curl lines in it."""

import shutil
import subprocess
import time

import httpx2
import pytest

from tests.running import RunningService
from tests.system.test_signing_in import bearer, signed_in

needs_tools = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are needed"
)
PUSH = """
push() {
  SALT="${ACCOUNT_ID}${WORKSPACE_ID}"
  INFO="hmac-signing"
  PRK=$(echo -n "$AUTH_TOKEN" | openssl dgst -sha256 -hmac "$SALT" | cut -d' ' -f2)
  DERIVED_KEY=$(echo -n "${INFO}01" | openssl dgst -sha256 -hmac "$PRK" | cut -d' ' -f2)
  HMAC_SIGNATURE=$(echo -n "$2" | openssl dgst -sha256 -hmac "$DERIVED_KEY" | cut -d' ' -f2)
  curl -s -o /dev/null -w "%{http_code}\\n" -X POST \\
    "${API_BASE_URL}$1/${ACCOUNT_ID}/${WORKSPACE_ID}" \\
    -H "Content-Type: application/json" -H "x-optikpi-token: ${AUTH_TOKEN}" \\
    -H "x-hmac-signature: ${HMAC_SIGNATURE}" -H "x-hmac-algorithm: sha256" -d "$2"
}
"""
WHOSE = '"account_id":"68911b7ad58ad825ec00c5ef","workspace_id":"68911b7ad825ec00c5ef"'
CUSTOMER = f"""{{{WHOSE},
  "user_id": "user123456", "username": "john_doe", "full_name": "John Doe",
  "date_of_birth": "1990-01-15", "email": "john.doe@example.com", "phone_number": "+1234567890",
  "currency": "USD", "subscription": "Subscribed", "deposit_limits": 1000.00,
  "loss_limits": 500.00, "wagering_limits": 2000.00, "session_time_limits": 120,
  "cooling_off_period": 7, "self_exclusion_period": 30, "account_status": "Active",
  "vip_status": "Regular", "loyalty_program_tiers": "Bronze", "financial_risk_level": 0.3,
  "referral_link_code": "REF789", "creation_timestamp": "2024-01-15T10:30:00Z",
  "phone_verification": "Verified", "email_verification": "Verified",
  "bank_verification": "NotVerified", "iddoc_verification": "Verified"}}"""
DEPOSIT = f"""{{{WHOSE},
  "user_id": "user123456", "event_category": "Deposit", "event_name": "Successful Deposit",
  "event_id": "evt_dep_987654321", "event_time": "2024-01-15T14:45:00Z", "amount": 500.00,
  "currency": "USD"}}"""


def pushed(service: RunningService, token: str, path: str, record: str) -> str:
    """The status of a push."""
    environment = {
        "API_BASE_URL": f"{service.base_url}/apigw/ingest",
        "AUTH_TOKEN": token,
        "ACCOUNT_ID": "68911b7ad58ad825ec00c5ef",
        "WORKSPACE_ID": "68911b7ad825ec00c5ef",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    script = ["bash", "-c", f'{PUSH}push "$1" "$2"', "push", path, record]
    return subprocess.run(
        script, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def a_token(service: RunningService, session: str) -> str:
    wanted = {"accountId": "68911b7ad58ad825ec00c5ef", "workspaceId": "68911b7ad825ec00c5ef"}
    made = service.post("/api/v1/signing-tokens", wanted | {"name": "p"}, **bearer(session))
    return made.json()["data"]["token"]


def asked(service: RunningService, path: str, session: str):
    answer = httpx2.get(f"{service.base_url}{path}", headers=bearer(session))
    return answer.json()["data"]


def wait_until_counted(service: RunningService, session: str, events: int) -> None:
    given_up = time.monotonic() + 20
    while asked(service, "/api/v1/events/stats", session)["totalIngested"] < events:
        assert time.monotonic() < given_up, service.last_words()
        time.sleep(0.05)


@needs_tools
def test_the_documents_own_lines_deliver_a_customer_and_a_deposit_once(new_service):
    service = new_service().start()
    session = signed_in(service, "ada@example.com")
    token = a_token(service, session)
    for _ in range(2):
        assert pushed(service, token, "/customers", CUSTOMER) == "200"
        assert pushed(service, token, "/events/deposit", DEPOSIT) == "200"
    assert pushed(service, f"{token}x", "/events/deposit", DEPOSIT) == "401"
    wait_until_counted(service, session, 2)
    path = "/api/v1/analytics/numbers?name=amount&by=eventType&start=2024-01-01&end=2024-02-01"
    [row] = asked(service, path, session)["rows"]
    assert (row["key"], row["count"], row["sum"]) == ("deposit", 1, 500.0)
    found = asked(service, "/api/v1/customers/user123456", session)
    assert found["profile"]["full_name"] == "John Doe"
    assert len(asked(service, "/api/v1/customers/user123456/history", session)["versions"]) == 1
    log = service.log.read_text()
    assert not any(secret in log for secret in (token, "John Doe", "john.doe@example.com"))
    assert service.stop() == 0
