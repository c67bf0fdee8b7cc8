"""What lists of campaigns and vouchers can be narrowed to."""

from typing import Any

import pytest

from promotions import make_campaign, make_voucher, publish


def where(*conditions: str) -> list[tuple[str, str]]:
    """Return query parameters from `field.$operator=value`, joined by `and` unless `junction=or` is among them."""
    found = []
    for one in conditions:
        name, _, value = one.partition("=")
        field, _, operator = name.partition(".")
        found.append((f"filters[{field}][conditions][{operator}]" if operator else f"filters[{field}]", value))
    return found


@pytest.fixture
def ids(api: Any) -> dict[str, str]:
    """The ids of four campaigns, by name: the second is of gift cards, the third is over, the fourth comes."""
    shoes = api.call("POST", "/v1/categories", {"name": "Shoes", "hierarchy": 1})
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 500}, "redemption": {"quantity": None}}
    cards = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "type": "AUTO_UPDATE", "vouchers_count": 1}
    made = [
        make_campaign(api, "Spring", category_id=shoes["id"], validity_day_of_week=[1, 2]),
        api.call("POST", "/v1/campaigns", {**cards, "voucher": gift}),
        make_campaign(api, "Past", expiration_date="2020-02-01", start_date="2020-01-01"),
        make_campaign(api, "Spring to come", start_date="2099-01-01", type="AUTO_UPDATE"),
    ]
    api.call("POST", f"/v1/campaigns/{made[1]['id']}/disable")
    return {one["name"]: one["id"] for one in made} | {"Shoes": shoes["id"]}


def campaigns(api: Any, *params: tuple[str, str]) -> list[str]:
    """Return the names of the campaigns in a list, the oldest first."""
    found = api.call("GET", "/v1/campaigns", params=[*params, ("order", "created_at")])
    assert found["total"] == len(found["campaigns"])
    return [one["name"] for one in found["campaigns"]]


ALL = ["Spring", "Cards", "Past", "Spring to come"]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["campaigns.$is=Spring"], ["Spring"]),
        (["campaigns.$starts_with=Spring", "voucher_type.$is=DISCOUNT_VOUCHER"], ["Spring", "Spring to come"]),
        (["campaigns.$is=Past", "campaigns_id.$is=camp_x", "junction=or"], ["Past"]),
        (["campaign_status.$is=DONE"], ALL),
        (["campaign_status.$in=FAILED", "campaign_status.$in=IN_PROGRESS"], []),
        (["status.$active="], ALL),
        (["status.$failed="], []),
        (["status.$in_progress="], []),
        (["status.$expired="], ["Past"]),
        (["status.before_start="], ["Spring to come"]),
        (["active.$enabled="], ["Spring", "Past", "Spring to come"]),
        (["active.$disabled="], ["Cards"]),
        (["active.$expired="], ["Past"]),
        (["active.$active="], ["Spring"]),
        (["active.$active=", "campaigns.$is=Past", "junction=or"], ["Spring", "Past"]),
        (["is_referral_code.$is=FALSE"], ALL),
        (["is_referral_code.$is=TRUE"], []),
        (["voucher_type.$is=GIFT_VOUCHER"], ["Cards"]),
        (["voucher_type.$not_in=GIFT_VOUCHER"], ["Spring", "Past", "Spring to come"]),
        (["categories.$is=Shoes"], ["Spring"]),
        (["categories.$is_unknown="], ["Cards", "Past", "Spring to come"]),
        (["category_ids.$has_value="], ["Spring"]),
        (["type.$in=BULK"], ALL),
        (["type.$in=AUTO_UPDATE"], ["Cards", "Spring to come"]),
        (["type.$not_in=AUTO_UPDATE"], ["Spring", "Past"]),
        (["created_date.$less_than=1"], ALL),
        (["created_date.$before=2020-01-01T00:00:00Z"], []),
        (["updated_at.$is_unknown="], ["Spring", "Past", "Spring to come"]),
        (["start_date.$after=2020-06-01"], ["Spring to come"]),
        (["expiration_date.$more_than=10"], ["Past"]),
        (["validity_day_of_week.$is=1"], ALL),
        (["validity_day_of_week.$is=3"], ["Cards", "Past", "Spring to come"]),
        (["validity_timeframe.$has_value="], []),
    ],
)
@pytest.mark.usefixtures("ids")
def test_the_filters_of_the_reference_narrow_the_list_of_campaigns(
    api: Any, conditions: list[str], expected: list[str]
) -> None:
    assert campaigns(api, *where(*conditions)) == expected


def test_the_parameters_beside_the_filters_narrow_the_list_of_campaigns(api: Any, ids: dict[str, str]) -> None:
    assert campaigns(api, ("campaign_status", "DONE")) == ALL
    assert campaigns(api, ("campaign_status", "FAILED")) == campaigns(api, ("campaign_status", "DRAFT")) == []
    assert campaigns(api, ("is_referral_code", "true")) == []
    assert campaigns(api, ("campaign_type", "GIFT_VOUCHERS")) == ["Cards"]
    assert campaigns(api, *where("category_ids.$is=" + ids["Shoes"])) == ["Spring"]
    page = api.call("GET", "/v1/campaigns", params={"expand": "category", "order": "created_at"})
    assert [one["name"] for one in page["campaigns"][0]["categories"]] == ["Shoes"]


REFUSED = [
    ("filters[color][conditions][$is]", "red"),
    ("filters[start_date][conditions][$is]", "2020-01-01"),
    ("filters[start_date][conditions][$after]", "soon"),
    ("filters[created_date][conditions][$more_than]", "x"),
    ("filters[validity_day_of_week][conditions][$is]", "7"),
    ("filters[is_referral_code][conditions][$is]", "maybe"),
    ("filters[validity_timeframe][conditions][$after]", "2020-01-01"),
    ("filters[junction]", "xor"),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *REFUSED,
        ("filters[status][conditions][$is]", "DONE"),
        ("filters[active][conditions][$is]", "true"),
        ("campaign_status", "BROKEN"),
        ("is_referral_code", "maybe"),
        ("expand", "access_settings_assignments"),
        ("access_settings[filter][areas_ids][0]", "ar_1"),
    ],
)
def test_what_the_list_of_campaigns_does_not_know_is_refused(api: Any, name: str, value: str) -> None:
    api.fails("GET", "/v1/campaigns", params={name: value}, status=400, key="invalid_query_params")


@pytest.fixture
def mine(api: Any, ids: dict[str, str]) -> str:
    """The code that ann has of the campaign Spring; there are A and B without a campaign, too."""
    make_voucher(api, "A", category="Words", expiration_date="2099-01-01", metadata={"color": "red"})
    make_voucher(api, "B", active=False)
    return str(publish(api, ids["Spring"])["voucher"]["code"])


def vouchers(api: Any, *params: tuple[str, str]) -> list[str]:
    """Return the codes of the vouchers in a list."""
    found = api.call("GET", "/v1/vouchers", params=[*params, ("order", "code"), ("limit", "100")])
    assert found["total"] == len(found["vouchers"])
    return [one["code"] for one in found["vouchers"]]


def test_vouchers_are_listed_by_their_ids(api: Any, mine: str) -> None:
    first, second, third = (api.call("GET", f"/v1/vouchers/{code}")["id"] for code in ("A", "B", mine))
    for params in (
        [("ids", second), ("ids", first)],
        [("ids[]", second), ("ids[]", first)],
        [("ids[0]", second), ("ids[1]", first), ("ids[2]", "v_x")],
        [("ids", f"{second},{first}")],
    ):
        assert vouchers(api, *params) == ["A", "B"]
    assert vouchers(api, ("ids", "v_x")) == []
    assert vouchers(api, ("ids", first), ("ids", third), ("campaign", "Spring")) == [mine]
    many = [("ids", f"v_{number}") for number in range(1_001)]
    api.fails("GET", "/v1/vouchers", params=many, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/vouchers", params={"ids": "\x00"}, status=400, key="invalid_query_params")


def test_vouchers_are_filtered(api: Any, ids: dict[str, str], mine: str) -> None:
    ann = api.call("GET", "/v1/customers/ann")["id"]

    def found(*conditions: str) -> list[str]:
        return [code for code in vouchers(api, *where(*conditions)) if code in ("A", "B", mine)]

    assert found() == ["A", "B", mine]
    assert found("code.$is=A") == found("code.$in=A", "code.$in=X") == ["A"]
    assert found("code.$not_in=A", "code.$not_in=B") == [mine]
    assert found("campaign.$is=Spring") == found(f"campaign_id.$is={ids['Spring']}") == [mine]
    assert found("campaign.$is_unknown=") == ["A", "B"]
    assert found(f"holder_id.$is={ann}") == found(f"published_for_customer_id.$is={ann}") == [mine]
    assert found("holder_id.$has_value=", "code.$is=A", "junction=or") == ["A", mine]
    assert found("categories.$is=Shoes") == found(f"category_ids.$is={ids['Shoes']}") == [mine]
    assert found("categories.$is=Words") == ["A"]
    assert found("type.$is=DISCOUNT_VOUCHER") == ["A", "B", mine]
    assert found("voucher_type.$is=GIFT_VOUCHER") == []
    assert found("active.$is=false") == ["B"]
    assert found("is_referral_code.$is=true") == []
    assert found("expiration_date.$before=2099-01-02") == ["A"]
    assert found("expiration_date.$is_unknown=") == ["B", mine]
    assert found("created_at.$less_than=1") == ["A", "B", mine]
    assert found("created_date.$more_than=1") == []
    assert found("validity_day_of_week.$is=2") == ["A", "B", mine]
    assert found("validity_day_of_week.$is=0,6") == ["A", "B"]
    assert found("validity_timeframe.$is_unknown=") == ["A", "B", mine]


@pytest.mark.parametrize(
    ("name", "value"),
    [*REFUSED, ("filters[metadata.color][conditions][$is]", "red"), ("filters[active][conditions][$is]", "yes")],
)
def test_what_the_list_of_vouchers_does_not_know_is_refused(api: Any, name: str, value: str) -> None:
    api.fails("GET", "/v1/vouchers", params={name: value}, status=400, key="invalid_query_params")
