"""Names of tests without backslashes, which pytest doubles each time that it collects them."""


def pytest_make_parametrize_id(val):
    if isinstance(val, str) and "\\" in val:
        return val.replace("\\", "/")
    return None
