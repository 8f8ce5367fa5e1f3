package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// wrong keeps something that did not go as it should.
func (d *demo) wrong(format string, args ...any) {
	d.unexpected = append(d.unexpected, fmt.Sprintf(format, args...))
}

// planted are the exceptions that the demo planted, by what their names hold.
var planted = map[string]struct {
	reason protocol.Reason
	why    string
}{
	estate.Vanished: {protocol.ReasonNoAccount, "The demo planted it: an account that was deleted and whose password is still in Vault. " +
		"Rollcall does not drop it silently; a person must explain it."},
	estate.Planted: {protocol.ReasonUnproved, "The intruder planted it: a secret of esg-01 says in its metadata that it is this account's. " +
		"Rollcall touches neither until a person says so."},
}

// expectedOpen says why a credential is one of them; empty if it is not.
func expectedOpen(l *ledger.CredentialState) (why string) {
	for name, p := range planted {
		if l.Outcome == ledger.IsException && l.Reason == p.reason && strings.Contains(l.Name, name) {
			return p.why
		}
	}
	return ""
}

// open are the credentials that are not dead.
func (d *demo) open() []*ledger.CredentialState {
	var out []*ledger.CredentialState
	for _, l := range d.state.Credentials {
		if l.Outcome != ledger.Dead {
			out = append(out, l)
		}
	}
	return out
}

func (d *demo) count(o ledger.Outcome) string {
	n := 0
	for _, l := range d.state.Credentials {
		if l.Outcome == o {
			n++
		}
	}
	return fmt.Sprint(n)
}

// checkCampaign holds the campaign against what was seeded: everything that was
// stolen is listed and dead, and nothing else is listed but what was planted.
func (d *demo) checkCampaign(code int) {
	// 2 is "finished with exceptions": what was planted.
	if code != 2 {
		d.wrong("rollcall run ended with exit code %d, not 2", code)
	}
	d.checkSigns()
	if d.state.Profile == nil || d.unanswered() > 0 {
		d.wrong("not every line of the device's profile has an answer in the record")
	}
	for _, s := range d.estate.Stolen {
		if d.state.Credential(s.ID) == nil {
			d.wrong("the roll lacks %s", s.ID)
		}
	}
	for _, l := range d.open() {
		if expectedOpen(l) == "" {
			d.wrong("%s is open: %s %s", l.Name, l.Reason, l.Detail)
		}
	}
	if n := len(d.state.Credentials) - len(d.state.Tasks()); n != len(d.estate.Stolen)+len(planted) {
		d.wrong("%d are listed where %d were stolen and %d planted", n, len(d.estate.Stolen), len(planted))
	}
}

// ask ends the intruder and lets its experience judge the ledger.
func (d *demo) ask(ctx context.Context) (string, error) {
	if err := d.raid.end(ctx); err != nil {
		return "", err
	}
	all, overheard, err := d.raid.said()
	if err != nil {
		return "", err
	}
	d.results, d.overheard = d.ownResults(all), d.ownOverheard(overheard)
	d.summary = intruder.Summarise(d.results)
	var deaths []intruder.Death
	for _, l := range d.state.Credentials {
		if l.Outcome == ledger.Dead && !l.Kind.ByHand() { // what people did opens no server of the demo
			deaths = append(deaths, intruder.Death{ID: l.ID, At: l.DeadAt})
		}
	}
	for _, v := range intruder.Judge(d.results, deaths) {
		d.wrong("the intruder contradicts the record: %s", v)
	}
	d.judgeOverheard(deaths)
	d.checkDoors()
	if d.summary.Open > 0 {
		d.wrong("the intruder can still get in with %d credentials", d.summary.Open)
	}
	said := fmt.Sprintf("shut out of %d of %d, after %d tries", d.summary.Credentials-d.summary.Open, d.summary.Credentials, d.summary.Tries)
	if d.hour != nil {
		said += d.askAboutSingleReset(all)
	}
	return said, nil
}

// judgeOverheard tells of the first few values in force that the intruder
// knows: where there are many, it is for one reason.
func (d *demo) judgeOverheard(deaths []intruder.Death) {
	const few = 3
	known := d.overheard.Judge(deaths)
	for _, v := range known[:min(few, len(known))] {
		if l := d.state.Credential(v.ID); l != nil {
			v.ID = l.Name
		}
		d.wrong("the intruder knows a value in force: %s", v)
	}
	switch more := len(known) - few; {
	case more == 1:
		d.wrong("the intruder knows 1 more value in force")
	case more > 1:
		d.wrong("the intruder knows %d more values in force", more)
	}
}

// lastIn is the longest that the new value of a credential whose id begins so
// was set before the stolen one stopped working everywhere. Negative: never
// after it was set.
func (d *demo) lastIn(prefix string) time.Duration {
	since := time.Duration(-1)
	for _, r := range d.results {
		if l := d.state.Credential(r.ID); strings.HasPrefix(r.ID, prefix) && l != nil && !l.SetAt.IsZero() && !r.LastSuccess.IsZero() {
			since = max(since, r.LastSuccess.Sub(l.SetAt))
		}
	}
	return since
}

func (d *demo) checkBystanders(ctx context.Context) (string, error) {
	if d.bystanders = d.estate.CheckBystanders(ctx); d.bystanders != nil {
		d.wrong("bystanders were touched: %v", d.bystanders)
		return "touched", nil
	}
	return fmt.Sprintf("%d of them log in with their old passwords, and Vault holds no new version", len(d.estate.Bystanders)), nil
}

// keyFile and anchorFile lie beside the ledger's folder, so that it can be
// verified when Vault is gone. In earnest they are kept by somebody else.
func (d *demo) keyFile() string    { return d.folder + ".key" }
func (d *demo) anchorFile() string { return d.folder + ".anchor" }

// verify runs the commands that an outsider would run.
func (d *demo) verify(ctx context.Context) (string, error) {
	admin, err := d.login(ctx)
	if err != nil {
		return "", err
	}
	for _, from := range []struct{ command, file string }{{"key", d.keyFile()}, {"anchor", d.anchorFile()}} {
		text, err := d.must(ctx, admin, "ledger", from.command, "--ledger", d.folder)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(from.file, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	// Without a login: it needs neither Vault nor network.
	text, err := d.must(ctx, nil, "ledger", "verify", "--ledger", d.folder, "--key", d.keyFile(), "--anchor", d.anchorFile(), "-o", "json")
	if err != nil {
		d.wrong("%v", err)
		return "not verified", nil
	}
	if err := json.Unmarshal([]byte(text), &d.verified); err != nil {
		return "", fmt.Errorf("what rollcall ledger verify printed: %w", err)
	}
	if !d.verified.OK() || !d.verified.Closed || d.verified.KeySource != ledger.KeyGiven || d.verified.Anchored != d.verified.Size {
		d.wrong("the ledger is not verified as a whole with key and checkpoint from Vault")
	}
	if err := d.draw(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries, none changed, none missing, each listed one brought to its end", d.verified.Size), nil
}
