import subprocess
import sys

import pytest

SEEN = "import sys; {first}; import app.redis_client; {then}; print('opentelemetry.sdk.metrics' in sys.modules)"


@pytest.mark.parametrize(
    ("first", "then", "loaded"),
    [
        ("", "", "False"),
        ("import opentelemetry.sdk.metrics", "", "True"),
        ("", "import opentelemetry.sdk.metrics", "True"),
    ],
)
def test_redis_does_not_load_opentelemetry_and_who_wants_it_still_may(first, then, loaded):
    code = SEEN.format(first=first or "pass", then=then or "pass")

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == loaded
    )
