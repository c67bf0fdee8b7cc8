"""The commands of the pages about in-cart promotions and templates work as written."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.categories.actions import MAX_CATEGORIES
from rapport.locations.actions import MAX_LOCATIONS
from rapport.locations.shapes import MAX_POINTS
from rapport.projects.models import NewKey
from rapport.promotions.schemas import MAX_TIERS
from rapport.promotions.stacks.schemas import MAX_STACKED, MAX_STACKS
from rapport.templates.actions import MAX_TEMPLATES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def run(page: str, server: harness.Server, key: NewKey, folder: Path) -> list[str]:
    definition = next(line for line in commands_of("quick-start.md").splitlines() if line.startswith("call()"))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    commands = f"{definition}\n{commands_of(page)}"
    done = subprocess.run(
        ["bash", "-eu", "-c", commands], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()


def test_the_commands_about_promotions_do_what_the_page_says(
    server: harness.Server, key: NewKey, tmp_path: Path
) -> None:
    campaign, added, tiers, stack, stacks, category, changed, location = run(
        "in-cart-promotions.md", server, key, tmp_path
    )
    assert campaign.count('"object":"promotion_tier"') == 2
    assert '"hierarchy":1' in added
    assert re.findall(r'"name":"(Small|Large|First)"', tiers) == ["First", "Small", "Large"]
    ids = re.findall(r'"id":"(promo_\w+)"', tiers)
    assert f'"ids":["{ids[1]}","{ids[2]}"]' in stack
    assert '"total":1' in stacks
    assert '"name":"Seasonal"' in category
    assert '"category":"Seasonal"' in changed
    assert '"format":"distance"' in location


def test_the_commands_about_templates_do_what_the_page_says(
    server: harness.Server, key: NewKey, tmp_path: Path
) -> None:
    campaign, template, setup = run("templates.md", server, key, tmp_path)
    assert '"name":"October"' in campaign
    assert '"campaign_type":"DISCOUNT_COUPONS"' in template
    assert '"name":"November"' in setup
    assert '"pattern":"NOV-####"' in setup


def test_the_pages_name_the_limits_that_there_are() -> None:
    text = re.sub(r"\s+", " ", (DOCS / "in-cart-promotions.md").read_text())
    assert f"may have {MAX_TIERS} tiers and {MAX_STACKS} stacks" in text
    assert f"names 1 to {MAX_STACKED} different tiers" in text
    assert f"may have {MAX_CATEGORIES:,} categories" in text
    assert f"up to {MAX_POINTS:,} points" in text
    assert f"A project may have {MAX_LOCATIONS:,}." in text
    assert f"may have {MAX_TEMPLATES:,} templates" in re.sub(r"\s+", " ", (DOCS / "templates.md").read_text())
