"""`boomerang check` looks at the team's addresses with the channels that are set up."""

import pytest

from app import cli

TEAM = 'addresses: {{telegram: "{chat}", slack: sales}}\nmembers: []\n'


@pytest.fixture
def check(monkeypatch, tmp_path, capsys):
    def run(chat="-100200300", **settings):
        (tmp_path / "team.yaml").write_text(TEAM.format(chat=chat))
        monkeypatch.setenv("BOOMERANG_TEAM", str(tmp_path / "team.yaml"))
        for name, value in settings.items():
            monkeypatch.setenv(f"BOOMERANG_{name.upper()}", value)
        status = cli.main(["check"])
        out = capsys.readouterr()
        return status, out.out + out.err

    return run


def test_channels_that_the_team_names_and_nobody_has_set_up_are_told(check):
    status, told = check()
    assert status == 0
    assert "but slack is not set up" in told and "but telegram is not set up" in told


def test_an_address_that_its_channel_cannot_use_is_a_fault(check):
    status, told = check(
        chat="sales group", telegram_token="12345:secret-secret", slack_hooks="sales=https://a.example"
    )
    assert status == 1 and "addresses of the team: telegram: not a chat id" in told


def test_with_all_set_up_it_says_no_more_than_that_the_team_is_fine(check):
    status, told = check(telegram_token="12345:secret-secret", slack_hooks="sales=https://a.example")
    assert status == 0 and "the team is fine" in told and "not set up" not in told and "secret" not in told


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("egress_allow", "10.0.0.300", "BOOMERANG_EGRESS_ALLOW"),
        ("telegram_token", "nonsense", "BOOMERANG_TELEGRAM_TOKEN"),
        ("webhook_hooks", "crm=https://crm.example", "BOOMERANG_WEBHOOK_SECRETS"),
        ("console_users", "maria:plain", "boomerang password"),
        ("receipt_secrets", "twilio", "BOOMERANG_RECEIPT_SECRETS"),
        ("tracking", "clicks", "BOOMERANG_TRACKING"),
        ("utm", "utm_source={who}", "BOOMERANG_UTM"),
    ],
)
def test_a_setting_of_the_team_that_cannot_be_used_is_named(check, setting, value, told):
    values = {"telegram_token": "12345:secret-secret", setting: value}
    status, text = check(**values)
    assert status == 1 and told in text
