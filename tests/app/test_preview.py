import pytest

from app.cli import main


def preview(capsys, *arguments):
    status = main(["preview", *arguments])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.parametrize(("locale", "word"), [("ru", "корзин"), ("en", "cart")])
def test_a_scenario_is_shown_on_its_channels_with_sample_content(capsys, locale, word):
    status, out, _ = preview(capsys, "abandoned_cart", "--locale", locale)
    assert status == 0 and word in out and "Red shoes" in out
    assert out.startswith(f"--- email: abandoned_cart, {locale}\n")


def test_the_mail_is_written_as_html(capsys, tmp_path):
    file = tmp_path / "mail.html"
    status, out, _ = preview(capsys, "abandoned_search", "--html", str(file))
    assert status == 0 and str(file) in out and "<html" in file.read_text()


def test_the_mail_is_shown_in_a_browser_or_we_say_that_there_is_none(capsys, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or len(opened) == 1)
    file = tmp_path / "mail.html"
    assert preview(capsys, "abandoned_cart", "--open", str(file))[0] == 0
    assert opened == [file.as_uri()]
    assert "there is no browser here" in preview(capsys, "abandoned_cart", "--open", str(file))[1]


def test_an_alert_of_a_scenario_is_shown_as_the_team_is_told(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOMERANG_TEMPLATES", str(tmp_path))
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "vip.alert.txt.j2").write_text("{{ customer.who }} is silent\nand has {{ customer.value }}\n")
    status, out, _ = preview(capsys, "vip", "--locale", "en")
    assert (status, out) == (0, "--- alert: vip, en\nAnna is silent\nand has €120.50\n\n")


def test_a_template_of_the_shops_own_folder_is_shown(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOMERANG_TEMPLATES", str(tmp_path))
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "ours.subject.txt.j2").write_text("Тема {{ count }}")
    (tmp_path / "ru" / "ours.mjml.j2").write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>Здравствуйте, {{ name }}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    status, out, _ = preview(capsys, "ours", "--locale", "ru")
    assert status == 0 and "Тема 1" in out and "Здравствуйте, Anna" in out
    status, _, err = preview(capsys, "ours", "--locale", "en")
    assert status == 1 and "en/ours" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("no_such",), 1, "no_such"),
        (("../../etc/passwd",), 1, "is missing"),
        (("abandoned_cart", "--locale", "de"), 2, "--locale"),
        (("abandoned_cart", "--channel", "pigeon"), 2, "--channel"),
        (("abandoned_cart", "--html", "/no/such/folder/x"), 1, "cannot write"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(capsys, arguments, status, told):
    found, _, err = preview(capsys, *arguments)
    assert found == status and told in err and err.count("\n") == 1


def test_a_folder_of_templates_that_is_none_is_told(capsys, monkeypatch):
    monkeypatch.setenv("BOOMERANG_TEMPLATES", "/no/such/folder")
    for command in (["preview", "abandoned_cart"], ["check"]):
        assert main(command) == 1
        assert "BOOMERANG_TEMPLATES" in capsys.readouterr().err
