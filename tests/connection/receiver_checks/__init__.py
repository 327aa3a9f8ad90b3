"""The rows of `test_receiver_checks`, sorted by what they are about."""

import pytest

# Plain modules, but full of tests: their assertions should say what they saw.
for _name in ("early", "frames", "parameters", "paths", "tls"):
    pytest.register_assert_rewrite(f"{__name__}.{_name}")
