"""Changes to ad accounts: proposed, decided by a person, carried out, read back, undone. Values are in ads/plans.py.

A plan is frozen when it is made: tool, arguments, targets, the state they were seen in, workspace and turn go into its
`plan_hash`. Everything after that is bound to the hash: the click, the log's entry of the click, and the executor,
which reads nothing but rows.

    propose (a model's call)  --.
    undo    (a person's click) --+--> pending --approve--> approved --carry_out--> finished
                                 |       '--> rejected | expired | cancelled
                                 '--> preview            (guard rails: preview only)

rows         the tables read and written; PlanView; the hash
seen         the observed state, and whether the campaign still is in it
facts        spend and past changes, from our own tables
proposing    propose, undo: targets read from the platform, guard rails, the platform's own dry run
storing      keep the plan; what one turn may propose at all
deciding     token, approve, reject, cancel, expire
errand       the lease of who carries it out, and whether that is still allowed; abandoned
executing    carry_out
outcome      what a decided plan is to a model
"""

from webapp.ads.changes.deciding import approve, cancel, expire, reject, token
from webapp.ads.changes.errand import abandoned
from webapp.ads.changes.executing import carry_out
from webapp.ads.changes.outcome import outcome
from webapp.ads.changes.proposing import propose, undo
from webapp.ads.changes.rows import history, of_campaign, of_turn, open_plans, plan
from webapp.ads.plans import Click, Findings, Lapsed, Origin, Refused, Wanted

__all__ = [
    "Click",
    "Findings",
    "Lapsed",
    "Origin",
    "Refused",
    "Wanted",
    "abandoned",
    "approve",
    "cancel",
    "carry_out",
    "expire",
    "history",
    "of_campaign",
    "of_turn",
    "open_plans",
    "outcome",
    "plan",
    "propose",
    "reject",
    "token",
    "undo",
]
