package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/report"
)

// most is how many findings, and names for a reason, one notice has.
const most = 50

// teller makes notices of a ledger's entries, in their order. It is the same
// for the same entries, so a process that begins anew makes the same ones.
type teller struct {
	told     settings.Told
	state    *ledger.State
	campaign string

	closed   bool // the roll is
	pause    ledger.Entry
	pausedAt uint64 // its index
	left     map[int]int
	began    map[int]bool
	ended    map[int]bool
	reloaded map[string]bool

	found       []Found
	first, last uint64
	at          time.Time
}

func newTeller(told settings.Told, campaign string) *teller {
	return &teller{told: told, state: ledger.NewState(), campaign: campaign, left: map[int]int{}, began: map[int]bool{}, ended: map[int]bool{}, reloaded: map[string]bool{}}
}

// add folds in an entry and gives what is to be told of it at once. Findings
// are gathered until gathered is asked.
func (t *teller) add(index uint64, e ledger.Entry) (out []Notice) {
	was := ledger.NoOutcome
	if c := t.state.Credential(e.Credential); c != nil {
		was = c.Outcome
	}
	t.state.Add(index, e)
	c := t.state.Credential(e.Credential)
	switch {
	case c != nil && e.Event == ledger.Listed:
		t.left[c.Wave]++
	case c != nil && (was == ledger.NoOutcome) != (c.Outcome == ledger.NoOutcome):
		if t.left[c.Wave]--; c.Outcome == ledger.NoOutcome {
			t.left[c.Wave] += 2
		}
	}
	switch e.Event {
	case ledger.RollClosed:
		t.closed = true
		out = append(out, t.start(e))
	case ledger.EventFinding:
		t.gather(index, e)
	case ledger.CampaignPaused:
		t.pause, t.pausedAt = e, index
	case ledger.EventIntent, ledger.Activated, ledger.EventOpen, ledger.TaskOpened, ledger.EventOutcome, ledger.Exception:
		if c != nil {
			out = append(out, t.wave(c, e)...)
			out = append(out, t.reloads(c, e)...)
		}
	case ledger.CampaignClosed:
		if found := t.gathered(); found != nil {
			out = append(out, *found)
		}
		out = append(out, t.end(e))
	}
	return out
}

func (t *teller) notice(event settings.Event, at time.Time, key string) Notice {
	n := Notice{ID: t.campaign + "/" + key, Event: event, At: at, Device: t.state.Device, Campaign: t.campaign}
	if about := t.state.Incident; about.Number != "" {
		n.Incident = &about
	}
	return n
}

func (t *teller) start(e ledger.Entry) Notice {
	n := t.notice(settings.Start, e.At, "start")
	n.Actor = t.state.Actor
	n.Counts = &Counts{Listed: len(t.state.Credentials), Excluded: len(t.state.Excluded), Open: len(t.state.Credentials)}
	n.Text = fmt.Sprintf("Campaign %s over %s began: %s listed, %d excluded", t.campaign, t.state.Device, report.Plural(n.Counts.Listed, "credential", "credentials"), n.Counts.Excluded)
	return n
}

// wave says that the wave of a credential began, or ended.
func (t *teller) wave(c *ledger.CredentialState, e ledger.Entry) (out []Notice) {
	if !t.began[c.Wave] {
		t.began[c.Wave] = true
		out = append(out, t.ofWave(c.Wave, e.At, false))
	}
	if t.closed && t.left[c.Wave] == 0 && !t.ended[c.Wave] {
		t.ended[c.Wave] = true
		out = append(out, t.ofWave(c.Wave, e.At, true))
	}
	return out
}

func (t *teller) ofWave(wave int, at time.Time, ended bool) Notice {
	key, word := "began", "began"
	if ended {
		key, word = "ended", "ended"
	}
	n := t.notice(settings.Wave, at, fmt.Sprintf("wave/%d/%s", wave, key))
	n.Wave = &WaveNews{Number: wave, Name: cmp.Or(t.state.Waves[wave], fmt.Sprintf("wave %d", wave+1)), Ended: ended}
	n.Counts = t.count(func(c *ledger.CredentialState) bool { return c.Wave == wave })
	n.Text = fmt.Sprintf("%s, wave %q %s: %d of %d dead%s, %d open", t.state.Device, n.Wave.Name, word, n.Counts.Dead, n.Counts.Listed, n.Counts.onSome(), n.Counts.Open)
	return n
}

func (t *teller) count(counts func(*ledger.CredentialState) bool) *Counts {
	out := &Counts{}
	for _, c := range t.state.Credentials {
		if !counts(c) {
			continue
		}
		if report.OnSome(c) {
			out.OnSome++
		}
		if out.Listed++; c.Outcome == ledger.Dead {
			out.Dead++
		} else {
			out.Open++
		}
	}
	return out
}

func (t *teller) gather(index uint64, e ledger.Entry) {
	if e.Finding == credential.FindingNotifyFailed {
		return // whom it is about cannot be told
	}
	f := Found{Code: e.Finding, What: report.FindingTitle(e.Finding), Detail: e.Detail}
	if c := t.state.Credential(e.Credential); c != nil {
		f.Credential = c.Name
	}
	if len(t.found) == 0 {
		t.first = index
	}
	t.last, t.at, t.found = index, e.At, append(t.found, f)
}

// gathered is one notice of the findings since the last one; nil without any.
func (t *teller) gathered() *Notice {
	if len(t.found) == 0 {
		return nil
	}
	n := t.notice(settings.Finding, t.at, fmt.Sprintf("finding/%d-%d", t.first, t.last))
	slices.SortStableFunc(t.found, func(a, b Found) int { return report.FindingWeight(a.Code) - report.FindingWeight(b.Code) })
	all := len(t.found)
	n.Findings, n.More = t.found[:min(all, most)], max(0, all-most)
	var what []string
	for _, f := range n.Findings {
		if !slices.Contains(what, f.What) && len(what) < 3 {
			what = append(what, f.What)
		}
	}
	n.Text = fmt.Sprintf("%s: %s: %s", t.state.Device, report.Plural(all, "finding", "findings"), strings.Join(what, "; "))
	t.found = nil
	return &n
}

func (t *teller) end(e ledger.Entry) Notice {
	n := t.notice(settings.End, e.At, "end")
	n.Counts = t.count(func(*ledger.CredentialState) bool { return true })
	n.Counts.Excluded = len(t.state.Excluded)
	n.Open = t.standing(func(c *ledger.CredentialState) bool { return c.Outcome != ledger.Dead })
	n.Ending = t.ending()
	came := n.Ending.words()
	if t.state.EndedEarly() {
		came += ", and nothing was set"
	}
	n.Text = fmt.Sprintf("Campaign %s over %s %s: %d of %d dead%s, %d open", t.campaign, t.state.Device, came, n.Counts.Dead, n.Counts.Listed, n.Counts.onSome(), n.Counts.Open)
	if n.Ending.Reason != "" {
		n.Text += "; because: " + n.Ending.Reason
	}
	if n.Ending.Owner != "" {
		n.Text += "; owner " + n.Ending.Owner
	}
	if due := n.Ending.Due; !due.IsZero() {
		n.Text += ", until " + due.UTC().Format(time.DateTime) + "Z"
	}
	if left := len(t.state.LeftOut); left > 0 {
		n.Text += fmt.Sprintf("; %s left out", report.Plural(left, "server was", "servers were"))
	}
	return n
}

func (t *teller) ending() *Ending {
	how, did := t.state.Ending()
	out := &Ending{How: how}
	if did != nil {
		out.By, out.Reason = did.Who, did.Why
	}
	if a := t.state.OpenAccepted; a != nil && how == ledger.EndAccepted {
		out.Owner, out.Due = a.Owner, a.Due
	}
	if out.Reason == "" {
		out.Reason = strings.TrimPrefix(t.state.Why, "ended early: ")
	}
	return out
}

// words go behind the name of the campaign.
func (e *Ending) words() string {
	by := ""
	if e.By != "" {
		by = " by " + e.By
	}
	switch e.How {
	case ledger.EndAborted:
		return "was aborted" + by
	case ledger.EndAccepted:
		return "was closed" + by + ", who accepted what is open"
	case ledger.EndEarly:
		return "ended early"
	case ledger.EndSuperseded:
		return "was ended by a later campaign"
	}
	return "ended"
}

// onSome goes behind the number of those that are dead.
func (c *Counts) onSome() string {
	if c.OnSome == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d on some servers or doors only)", c.OnSome)
}

// standing says for which reasons credentials are open, the commonest first.
func (t *teller) standing(which func(*ledger.CredentialState) bool) (out []Standing) {
	for _, c := range t.state.Credentials {
		if !which(c) {
			continue
		}
		i := slices.IndexFunc(out, func(s Standing) bool { return s.Reason == c.Reason && s.Server == c.Server })
		if i < 0 {
			title, _ := report.Advice(c.Reason)
			i, out = len(out), append(out, Standing{Reason: c.Reason, What: title, Server: c.Server})
		}
		if out[i].Number++; len(out[i].Names) < most {
			out[i].Names = append(out[i].Names, c.Name)
		}
	}
	slices.SortStableFunc(out, func(a, b Standing) int { return b.Number - a.Number })
	return out
}
