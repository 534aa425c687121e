"""The keys by which providers' receipts are believed: `PROVIDER=SECRET` in BOOMERANG_RECEIPT_SECRETS."""

from app.errors import SettingsError
from app.settings import Settings, split
from app.web.chat.authenticity import Secret
from app.web.receipts.providers import PROVIDERS

SHORTEST, LONGEST = 8, 256


def receipt_secrets(settings: Settings) -> dict[str, Secret]:
    """Provider -> its secret, or the two that live while one takes the other's place. Raises SettingsError."""
    found: dict[str, tuple[str, ...]] = {}
    for item in split(settings.receipt_secrets):
        name, equals, secret = item.partition("=")
        if not equals or name not in PROVIDERS:
            known = ", ".join(sorted(PROVIDERS))
            raise SettingsError(f"BOOMERANG_RECEIPT_SECRETS must be PROVIDER=SECRET,...; providers are {known}")
        if not SHORTEST <= len(secret) <= LONGEST:
            raise SettingsError(
                f"BOOMERANG_RECEIPT_SECRETS: the secret of {name} must have {SHORTEST} to {LONGEST} characters"
            )
        found[name] = (*found.get(name, ()), secret)
        if len(found[name]) > 2:
            raise SettingsError(f"BOOMERANG_RECEIPT_SECRETS: {name} may have two secrets, the old and the new one")
    return dict(found)
