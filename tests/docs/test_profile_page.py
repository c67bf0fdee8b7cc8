"""The commands of docs/profile.md work as written."""

import harness
from docs.test_quick_start import commands_of, run
from rapport.projects.models import NewKey


def test_the_commands_about_the_profile_show_the_customer(server: harness.Server, key: NewKey) -> None:
    definition = next(line for line in commands_of("docs/quick-start.md").splitlines() if line.startswith("call()"))
    answers = run("bash", f"{definition}\n{commands_of('docs/profile.md')}", server, key)
    *_, latest, paid, actions, profile, listed = answers
    assert latest.count('"group_id"') == 2
    assert '"type":"customer.order.paid"' in paid
    assert '"customer.segment' not in actions
    assert '"object":"customer_profile"' in profile
    assert '"source":"MailChimp"' in listed
