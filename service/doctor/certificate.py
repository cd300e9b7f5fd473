"""The certificate that the API shows: whether it fits, for whom, and how long still."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from service.doctor.remark import Part, Remark
from service.errors import SettingsError
from service.settings import Settings
from service.settings.fields import listed
from service.tls import certificate_of

_PART = Part("certificate")
_SOON = 14
"""Days before its end at which a certificate should have been renewed."""
_RENEW = "renew it; a new file is taken up within ten seconds"


def examine_certificate(settings: Settings, now: datetime) -> Iterator[Remark]:
    """Nothing where the API speaks no TLS."""
    if not settings.tls_cert:
        return
    try:
        certificate_of(settings)
        chain = x509.load_pem_x509_certificates(Path(settings.tls_cert).read_bytes())
    except (SettingsError, OSError, ValueError) as error:
        yield _PART.wrong("files", str(error), "name a chain and its key, both PEM, that fit")
        return
    yield _PART.right("files", "chain and key fit")
    yield _age(min(one.not_valid_after_utc for one in chain), now)
    yield from _begun(chain[0], now)
    yield from _names(chain[0], settings)
    key = Path(settings.tls_key or settings.tls_cert)
    if key.stat().st_mode & 0o077:
        yield _PART.doubtful("key", "others on this machine may read it", f"chmod 600 {key.name}")


def _age(end: datetime, now: datetime) -> Remark:
    days = (end - now.astimezone(UTC)).days
    if days < 0:
        return _PART.wrong("age", f"it ended on {end:%Y-%m-%d}: clients refuse it", _RENEW)
    if days < _SOON:
        return _PART.doubtful("age", f"it ends in {days} days, on {end:%Y-%m-%d}", _RENEW)
    return _PART.right("age", f"good until {end:%Y-%m-%d}")


def _begun(certificate: x509.Certificate, now: datetime) -> Iterator[Remark]:
    if (begin := certificate.not_valid_before_utc) > now:
        said = f"it is not valid before {begin:%Y-%m-%d %H:%M}Z: clients refuse it"
        yield _PART.wrong("begin", said, "look at the clock, or use the one before")


def _names(certificate: x509.Certificate, settings: Settings) -> Iterator[Remark]:
    named = _named(certificate)
    for host in listed(settings.allowed_hosts):
        if not _covers(named, host):
            said = f"it does not name {host}, which HEADRACE_ALLOWED_HOSTS does"
            yield _PART.wrong("names", said, "have it issued for every name that is used")


def _named(certificate: x509.Certificate) -> Sequence[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _covers(named: Sequence[str], host: str) -> bool:
    return host in named or f"*.{host.partition('.')[2]}" in named
