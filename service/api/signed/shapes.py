"""What partners send: the fields of each kind of record, required, ranged and enumerated.

Fields that are not named here are kept as they come. Times without an offset are UTC.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.events import Id

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Amount = int | float
Positive = Annotated[float, Meta(ge=0)]
Risk = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Verification = Literal["Verified", "NotVerified"]
Choice = Literal["Opt-in", "Opt-out"]


class Record(msgspec.Struct, kw_only=True):
    """What every record says: whose it is."""

    account_id: Text
    workspace_id: Text


class PartnerEvent(Record, kw_only=True):
    """What every event says."""

    event_category: Text
    event_name: Text
    event_id: Id
    event_time: datetime
    metadata: dict[str, Any] | None = None


class UserEvent(PartnerEvent, kw_only=True):
    """An event of a user."""

    user_id: Id


class AccountEvent(UserEvent, kw_only=True):
    """A registration, a verification, a change of an account."""

    device: Literal["desktop", "mobile", "tablet"] | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    status: Literal["verified", "failed"] | None = None


class DepositEvent(UserEvent, kw_only=True):
    """Money that comes in."""

    amount: Amount
    currency: str | None = None
    payment_method: Literal["bank", "credit_card"] | None = None
    transaction_id: str | None = None
    status: str | None = None


class WithdrawEvent(UserEvent, kw_only=True):
    """Money that goes out."""

    amount: Amount | None = None
    currency: str | None = None
    payment_method: Literal["bank"] | None = None
    transaction_id: str | None = None
    status: str | None = None


class GamingEvent(UserEvent, kw_only=True):
    """A game that was played."""

    wager_amount: Amount | None = None
    win_amount: Amount | None = None
    game_title: str | None = None
    game_category: str | None = None
    session_duration: Amount | None = None


class SystemEvent(PartnerEvent, kw_only=True):
    """Something that happened to no user."""

    event_data: dict[str, Any] | str | None = None


class Attributes(Record, kw_only=True):
    """More that is known of a customer, under the name of a list; JSON text is read."""

    user_id: Id
    list_name: Annotated[str, Meta(min_length=1, max_length=128)]
    ext_data: dict[str, Any] | str


class CustomerProfile(Record, kw_only=True):
    """All that is known of a customer."""

    user_id: Id
    username: Text
    full_name: Text
    first_name: str | None = None
    last_name: str | None = None
    date_of_birth: date
    email: Text
    phone_number: Text
    gender: Literal["Male", "Female"] | None = None
    country: str | None = None
    city: str | None = None
    language: str | None = None
    currency: Text
    marketing_email_preference: Choice | None = None
    notifications_preference: Choice | None = None
    subscription: Literal["Subscribed", "Unsubscribed"]
    privacy_settings: Literal["public", "private"] | None = None
    deposit_limits: Positive
    loss_limits: Positive
    wagering_limits: Positive
    session_time_limits: Positive
    cooling_off_period: Count | UnsetType = UNSET
    cooling_off_expiry_date: str | UnsetType = UNSET
    self_exclusion_period: Count | UnsetType = UNSET
    self_exclusion_expiry_date: str | UnsetType = UNSET
    reality_checks_notification: Literal["daily", "weekly", "monthly"] | None = None
    account_status: Literal["Active", "Locked", "InActive", "Frozen"]
    vip_status: Literal["Regular", "VIP"]
    loyalty_program_tiers: Literal["Gold", "Silver", "Bronze"]
    bonus_abuser: Literal["Flagged as a bonus abuser", "Not flagged"] | None = None
    financial_risk_level: Risk
    acquisition_source: Literal["Google Ads", "Facebook Ads", "Twitter Ads"] | None = None
    partner_id: str | None = None
    affliate_id: str | None = None
    referral_link_code: Text
    referral_limit_reached: Literal["Reached", "Not Reached"] | None = None
    creation_timestamp: datetime
    phone_verification: Verification
    email_verification: Verification
    bank_verification: Verification
    iddoc_verification: Verification


PAIRS = (
    ("cooling_off_period", "cooling_off_expiry_date"),
    ("self_exclusion_period", "self_exclusion_expiry_date"),
)
"""Of a customer's fields: of each pair one is required; newer clients send the second."""
