package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/plural"
)

// settled is how long nothing may have been recorded before a campaign is said
// to wait for people: one that ends records its end sooner.
const settled = 30 * time.Second

// wait says that a campaign does nothing more before a person does something,
// and causes is for what, those that were known among them; nil if it goes on,
// or if nothing is waited for but what was told (known).
func (t *teller) wait(next uint64, now time.Time, known []string) (n *Notice, causes []string) {
	var said []string
	causes = slices.Clone(known)
	cause := func(key, text string) {
		if !slices.Contains(causes, key) {
			causes, said = append(causes, key), append(said, text)
		}
	}
	switch {
	case t.state.Phase == ledger.Paused:
		cause(fmt.Sprintf("paused/%d", t.pausedAt), t.paused())
	case t.state.Phase == ledger.Running && t.peopleAlone():
		for _, s := range t.standing(func(c *ledger.CredentialState) bool { return c.Outcome == ledger.IsException && c.Reason.Mendable() }) {
			cause("open/"+string(s.Reason)+"/"+s.Server, t.tried(s))
		}
		if left := t.tasksLeft(); left > 0 {
			cause("tasks", fmt.Sprintf("%s of people %s not done (`rollcall tasks`)", plural.Count(left, "task", "tasks"), plural.Pick(left, "is", "are")))
		}
	}
	if len(said) == 0 {
		return nil, known
	}
	out := t.notice(settings.Wait, now, fmt.Sprintf("wait/%d", next))
	out.Counts = t.count(func(*ledger.CredentialState) bool { return true })
	out.Open = t.standing(func(c *ledger.CredentialState) bool { return c.Outcome != ledger.Dead })
	out.Text = fmt.Sprintf("%s: %d of %d dead, and nothing goes on before a person does something: %s", t.state.Device, out.Counts.Dead, out.Counts.Listed, strings.Join(said, "; "))
	if t.told.Wait > 0 && t.state.Phase == ledger.Running {
		out.Text += fmt.Sprintf(". For what is open it stays for %s, then it ends by itself", t.told.Wait)
	}
	return &out, causes
}

// peopleAlone reports whether all that can be done without a person is done and
// the campaign goes on all the same: people have tasks, or its file has it stay
// for what one can put right.
func (t *teller) peopleAlone() bool {
	mendable := false
	for _, c := range t.state.Credentials {
		if c.Outcome == ledger.NoOutcome && c.Task == nil {
			return false
		}
		mendable = mendable || c.Outcome == ledger.IsException && c.Reason.Mendable()
	}
	return t.closed && (t.tasksLeft() > 0 || t.told.Wait > 0 && mendable)
}

func (t *teller) tasksLeft() (n int) {
	for _, c := range t.state.Credentials {
		if c.Outcome == ledger.NoOutcome && c.Task != nil {
			n++
		}
	}
	return n
}

func (t *teller) tried(s Standing) string {
	names := strings.Join(s.Names[:min(3, len(s.Names))], ", ")
	if s.Number > 3 {
		names += ", …"
	}
	return fmt.Sprintf("%d open %s tried no more before a person has put it right (%s: %s): `rollcall relist` takes up what was corrected, `rollcall close` leaves the rest open, with an owner",
		s.Number, plural.Pick(s.Number, "is", "are"), s.What, names)
}

func (t *teller) paused() string {
	e := t.pause
	return fmt.Sprintf("paused since %s by %s: `rollcall resume` goes on with it", e.At.UTC().Format("2006-01-02 15:04:05Z"), cmp.Or(e.Actor, "itself ("+e.Detail+")"))
}
