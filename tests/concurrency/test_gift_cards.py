"""Many changes of one balance at one moment, and codes that are imported and generated at the same time."""

import asyncio
import random
from collections import Counter
from typing import Any

import bulk_requests
from harness import Server, async_client
from promotions import make_campaign
from rapport.core.db import Database
from shopping import basket

RACERS = 64


async def _post_all(server: Server, api: Any, requests: list[tuple[str, Any]]) -> list[Any]:
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        return list(await asyncio.gather(*(client.post(path, json=body) for path, body in requests)))


async def _books(db: Database, project_id: int, made_with: int) -> tuple[int, int, bool]:
    """Return balance and number of lines, and whether each line's balance follows from the one before it."""
    async with db.read() as conn:
        balance = await conn.fetchval("SELECT balance FROM vouchers WHERE project_id = $1", project_id)
        rows = await conn.fetch(
            "SELECT amount, balance FROM voucher_transactions WHERE project_id = $1 ORDER BY number", project_id
        )
    running = made_with
    for row in rows:
        running += row["amount"]
        if row["balance"] != running or running < 0:
            return balance, len(rows), False
    return balance, len(rows), running == balance


async def test_a_card_is_emptied_once_by_sixty_four_racers(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    api.call("POST", "/v1/vouchers/CARD", {"type": "GIFT_VOUCHER", "gift": {"amount": 1000}})
    answers = await _post_all(server, api, [("/v1/vouchers/CARD/balance", {"amount": -100})] * RACERS)
    outcome = Counter((one.status_code, one.json().get("key")) for one in answers)
    assert outcome == {(200, None): 10, (400, "insufficient_card_balance"): RACERS - 10}
    assert sorted(one.json()["balance"] for one in answers if one.status_code == 200) == [*range(0, 1000, 100)]
    assert await _books(db, project_id, 1000) == (0, 10, True)


async def test_balances_are_the_sum_of_their_ledgers_after_random_changes_by_sixty_four_connections(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    rng = random.Random(20261125)
    api.call("POST", "/v1/vouchers/CARD", {"type": "GIFT_VOUCHER", "gift": {"amount": 500}})
    amounts = [rng.choice([-1, 1]) * rng.randint(1, 400) for _ in range(640)]
    answers = await _post_all(server, api, [("/v1/vouchers/CARD/balance", {"amount": one}) for one in amounts])
    done = [amount for amount, one in zip(amounts, answers, strict=True) if one.status_code == 200]
    assert {one.status_code for one in answers} <= {200, 400}
    balance, lines, holds = await _books(db, project_id, 500)
    assert (balance, lines, holds) == (500 + sum(done), len(done), True)
    gift = api.call("GET", "/v1/vouchers/CARD")["gift"]
    assert gift["amount"] == 500 + sum(one for one in done if one > 0)
    assert gift["subtracted_amount"] == -sum(one for one in done if one < 0)


async def test_an_untouched_card_of_a_campaign_is_spent_no_more_than_it_is_worth(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    voucher = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 1000}, "redemption": {"quantity": None}}
    make_campaign(api, "Cards", campaign_type="GIFT_VOUCHERS", voucher=voucher, vouchers_count=1)
    code = api.call("GET", "/v1/vouchers")["vouchers"][0]["code"]
    spending = ("/v1/redemptions", basket(("voucher", code, 300), customer=None))
    answers = await _post_all(server, api, [spending] * RACERS)
    assert sum(one.status_code == 200 for one in answers) == 3
    assert await _books(db, project_id, 1000) == (100, 3, True)


async def test_imported_codes_and_generated_ones_are_never_the_same(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    # Of 1,000 possible codes, 500 are drawn and all are imported, at once.
    pattern = {"pattern": "###", "charset": "0123456789"}
    campaign = make_campaign(api, vouchers_count=0, voucher={"code_config": pattern})
    codes = [f"{number:03}" for number in range(1000)]
    random.shuffle(codes)
    off = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 1}}
    generating = f"/v1/campaigns/{campaign['id']}/vouchers?vouchers_count=50"
    requests = [(generating, {}) for _ in range(10)]
    requests += [("/v1/vouchers/import", [{"code": code, **off} for code in codes[at : at + 250]]) for at in (0, 250)]
    requests += [
        (f"/v1/campaigns/{campaign['id']}/import", [{"code": code} for code in codes[at : at + 250]])
        for at in (500, 750)
    ]
    random.shuffle(requests)
    answers = await _post_all(server, api, requests)
    assert all(one.status_code == 202 or one.json()["key"] == "code_generation_failed" for one in answers)
    actions = [bulk_requests.finished(api, one.json()["async_action_id"]) for one in answers if one.status_code == 202]
    imported = [one["result"] for one in actions if one["type"].endswith("IMPORT")]
    generated = [one["result"]["done_count"] for one in actions if one["type"].endswith("GENERATE")]
    assert sum(one["done_count"] + one["failed_count"] for one in imported) == 1000
    async with db.read() as conn:
        rows = await conn.fetch("SELECT code, campaign_id FROM vouchers WHERE project_id = $1", project_id)
        made = await conn.fetchval("SELECT codes_made FROM campaigns WHERE project_id = $1", project_id)
    assert (
        len({row["code"] for row in rows}) == len(rows) == sum(generated) + sum(one["done_count"] for one in imported)
    )
    assert made == sum(row["campaign_id"] is not None for row in rows)
    assert len(rows) == 1000


async def test_what_holders_have_left_is_right_after_they_all_pay_with_each_others_cards(
    server: Server, api: Any
) -> None:
    rng = random.Random(20261126)
    people = ["ann", "bob", "eve"]
    for name in people:
        card = {"type": "GIFT_VOUCHER", "gift": {"amount": 50_000}}
        api.call("POST", f"/v1/vouchers/{name}", card)
        api.call("POST", "/v1/publications", {"voucher": name, "customer": {"source_id": name}})
    requests: list[tuple[str, Any]] = []
    for _ in range(60):
        codes = rng.sample(people, rng.choice([1, 2]))
        requests.append(("/v1/redemptions", basket(*codes, customer=rng.choice(people), order={"amount": 300})))
        requests.append((f"/v1/vouchers/{rng.choice(people)}/balance", {"amount": rng.choice([-70, 110])}))
    answers = await _post_all(server, api, requests)
    assert Counter(one.status_code for one in answers) == {200: len(requests)}
    done = [one.json()["redemptions"] for one in answers if "redemptions" in one.json()]
    back = [(f"/v1/redemptions/{rows[0]['id']}/rollback", {}) for rows in done if len(rows) == 1][:20]
    assert Counter(one.status_code for one in await _post_all(server, api, back)) == {200: len(back)}
    for name in people:
        gift = api.call("GET", f"/v1/customers/{name}")["summary"]["redemptions"]["gift"]
        assert gift["amount_to_go"] == api.call("GET", f"/v1/vouchers/{name}")["gift"]["balance"], name


async def test_whoever_gets_a_card_while_its_campaign_is_deleted_has_nothing_left_on_it(
    server: Server, api: Any
) -> None:
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 1200}, "redemption": {"quantity": None}}
    body = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "vouchers_count": 40, "voucher": voucher}
    api.call("POST", "/v1/campaigns", body)
    publications = [
        ("/v1/publications", {"campaign": {"name": "Cards"}, "customer": {"source_id": f"c{number}"}})
        for number in range(30)
    ]
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        *published, deleted = await asyncio.gather(
            *(client.post(path, json=said) for path, said in publications),
            client.delete("/v1/campaigns/Cards"),
        )
    assert deleted.status_code == 202
    assert {one.status_code for one in published} <= {200, 404}
    for number, one in enumerate(published):
        if one.status_code == 200:
            found = api.call("GET", f"/v1/customers/c{number}")["summary"]["redemptions"]["gift"]
            assert found == {"redeemed_amount": 0, "amount_to_go": 0}


async def test_amounts_that_are_set_while_a_card_is_used_leave_books_that_agree(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    api.call("POST", "/v1/vouchers/CARD", {"type": "GIFT_VOUCHER", "gift": {"amount": 1000}})
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    uses = [basket(("voucher", "CARD", 50), customer=f"c{number}") for number in range(20)]
    async with async_client(server.base_url, headers) as client:
        answers = await asyncio.gather(
            *(client.put("/v1/vouchers/CARD", json={"gift": {"amount": 700 + number}}) for number in range(20)),
            *(client.post("/v1/redemptions", json=body) for body in uses),
        )
    assert {one.status_code for one in answers} <= {200, 400}
    gift = api.call("GET", "/v1/vouchers/CARD")["gift"]
    spent = 50 * sum("redemptions" in one.json() for one in answers)
    assert 700 <= gift["amount"] < 720 or gift["amount"] == 1000
    balance, count, agree = await _books(db, project_id, 1000)
    assert agree
    assert count > 1
    assert balance == gift["balance"] == gift["amount"] - spent >= 0
