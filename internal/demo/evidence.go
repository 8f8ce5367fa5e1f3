package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
)

// Addresses of this machine from which stolen values were used before the
// campaign. All else of the demo is at 127.0.0.1.
const (
	deviceAddress = "127.0.0.9"
	thiefAddress  = "127.0.0.66"
)

// evidenceFile is what `rollcall evidence -o json` wrote.
const evidenceFile = "evidence-" + estate.Device + ".json"

// uses are how often each stolen value was let in, or a token of Vault that it
// gave was used, by ledger id.
type uses map[string]int

// played are uses that were: so many at least, and at most. A server may have
// let in who got no answer of it, or hung up before.
type played struct{ least, most uses }

// like reports whether these are the uses that logs have.
func (p played) like(logged uses) bool {
	for id, n := range logged {
		if n < p.least[id] || n > p.most[id] {
			return false
		}
	}
	return len(logged) == len(p.least)
}

// past is what was done before the campaign.
type past struct {
	device, thief played
	began         time.Time // a whole second, as logs write it
	contained     time.Time
	found         judge.Result
}

// exposure is in two parts: of the first, hours ago, no log is left, since the
// servers were not there.
func (p past) exposure() string {
	from := p.began.Add(-6 * time.Hour).UTC().Truncate(time.Hour)
	return fmt.Sprintf("[{from: %s, to: %s}, {from: %s, to: %s}]", from.Format(time.RFC3339), from.Add(3*time.Hour).Format(time.RFC3339),
		p.began.UTC().Format(time.RFC3339), p.contained.UTC().Format(time.RFC3339Nano))
}

func (p past) containment() string {
	return fmt.Sprintf("{how: isolated, at: %s, by: estate}", p.contained.UTC().Format(time.RFC3339Nano))
}

// before plays what happened before the campaign: the device at its work, and
// the thief, who comes from elsewhere with some of what it knew. Servers'
// own logs are all that is left of it.
func (d *demo) before(ctx context.Context) (err error) {
	d.past.began = time.Now().Truncate(time.Second)
	e := d.estate
	var ldap, vaults []intruder.Stolen
	for _, s := range e.Stolen {
		switch {
		case s.Kind == intruder.LDAP && s.Servers[0] == e.Slapd.LDAPS():
			ldap = append(ldap, s)
		case s.Kind == intruder.AppRole:
			vaults = append(vaults, s)
		}
	}
	at := func(s intruder.Stolen, server string) intruder.Stolen {
		s.Servers = []string{server}
		return s
	}
	var device []intruder.Stolen
	for _, s := range ldap[:5] {
		device = append(device, at(s, e.Slapd.LDAPS()))
	}
	taken := []intruder.Stolen{at(ldap[1], e.Replica.LDAPS()), vaults[0]}
	if d.noDoors == nil {
		mail := e.AtDoors[0]
		i := slices.IndexFunc(ldap, func(s intruder.Stolen) bool { return s.ID == mail.ID })
		taken = append(taken, at(ldap[i], e.Slapd.LDAPS()), at(mail, e.DoorPlaces()[estate.MailDoor]))
	}
	if d.past.device, err = d.visit(ctx, deviceAddress, append(device, vaults[0])); err != nil {
		return err
	}
	if d.past.thief, err = d.visit(ctx, thiefAddress, taken); err != nil {
		return err
	}
	d.past.contained = time.Now()
	return nil
}

// visit logs in with stolen values from an address, until each was let in.
func (d *demo) visit(ctx context.Context, from string, stolen []intruder.Stolen) (played, error) {
	doors := 0
	var lines []any
	for _, s := range stolen {
		s.From = from
		doors += len(s.Servers)
		lines = append(lines, s)
	}
	r, err := d.startRaid(lines...)
	if err != nil {
		return played{}, err
	}
	defer r.kill()
	if _, err := r.awaitInside(ctx, doors, false); err != nil {
		return played{}, err
	}
	if err := r.end(ctx); err != nil {
		return played{}, err
	}
	results, _, err := r.said()
	was := played{uses{}, uses{}}
	for _, r := range results {
		least, most := r.Successes, r.Tries+1 // one that was cut off is not told
		if r.Via == intruder.Login && strings.HasPrefix(r.ID, credential.VaultAuthority+"/") {
			most *= 2 // each token but the first, to revoke it
		}
		was.least[r.ID] += least
		was.most[r.ID] += most
	}
	return was, err
}

// evidence has the logs read, as a person would who knows the device's address
// and that all consumers are on this machine, and adds the source to the
// campaign file. Servers answer before they log, so it is read again until the
// logs have all that was done.
func (d *demo) evidence(ctx context.Context) (string, error) {
	login, err := d.login(ctx, vault.OperatorPolicy, vault.WorkerPolicy, vault.LedgerPolicy)
	if err != nil {
		return "", err
	}
	for _, log := range d.logs() {
		if err := os.Symlink(log.path, filepath.Join(d.temp, log.name)); err != nil {
			return "", err
		}
	}
	args := d.readLogs("-o", "json")
	var text string
	for deadline := time.Now().Add(time.Minute); ; {
		// 2 is "something was found".
		if text, err = d.ends(ctx, 2, login, args...); err != nil {
			return "", err
		}
		d.past.found = judge.Result{}
		if err := json.Unmarshal([]byte(text), &d.past.found); err != nil {
			return "", fmt.Errorf("what rollcall evidence printed: %w", err)
		}
		if len(d.unlike()) == 0 || time.Now().After(deadline) {
			break
		}
	}
	said := "each finding is one that was done, and none is missing"
	for _, what := range d.unlike() {
		said = "and it does not show what was done"
		d.wrong("%s", what)
	}
	if err := os.WriteFile(filepath.Join(d.temp, evidenceFile), []byte(text), 0o600); err != nil {
		return "", err
	}
	d.estate.Sources = fmt.Sprintf("  - {type: evidence, file: %s, addresses: [%s]}\n", evidenceFile, deviceAddress)
	return fmt.Sprintf("%d values were used from %s, and %d by the device itself; %s",
		len(d.past.thief.least), thiefAddress, len(d.past.device.least), said), d.writeCampaign()
}

// readLogs is the command that reads them, with more flags.
func (d *demo) readLogs(more ...string) []string {
	args := append([]string{"evidence", "--device", deviceAddress, "--usual", "127.0.0.1", "--zone", "local", "--year", fmt.Sprint(d.past.began.Year())}, more...)
	for _, log := range d.logs() {
		args = append(args, log.of+"="+log.name)
	}
	return args
}

// pictureFile lies beside the report.
func (d *demo) pictureFile() string { return d.folder + ".evidence.html" }

// draw has the logs read once more, with what the campaign's ledger says of
// each death, and drawn: uses before the campaign, the rotation, and tries
// after it.
func (d *demo) draw(ctx context.Context) error {
	_, err := d.ends(ctx, 2, nil, d.readLogs("--campaign", filepath.Base(d.folder), "--html", d.pictureFile())...)
	return err
}

type logOfDemo struct{ of, name, path string }

// logs are those that evidence can read, with whose they are and what they are
// called for it.
func (d *demo) logs() []logOfDemo {
	e := d.estate
	out := []logOfDemo{{"corp/ldap1", "ldap1.log", e.Slapd.LogFile()}, {"corp/ldap2", "ldap2.log", e.Replica.LogFile()}, {"vault", "vault-audit.log", e.Vault.AuditFile()}}
	if d.noDoors == nil {
		out = append(out, logOfDemo{"corp/mail", "mail.log", e.Mail.LogFile()})
	}
	return out
}

// unlike says in what the findings differ from what was done.
func (d *demo) unlike() (out []string) {
	shown := uses{}
	for _, f := range d.past.found.Findings {
		if f.Code != judge.UsedElsewhere || f.Grade != judge.Probable || f.Address != thiefAddress || f.Outcome != event.Accepted {
			out = append(out, fmt.Sprintf("evidence found what was not done: %s %s of %s from %s", f.Grade, f.Code, f.Account, f.Address))
			continue
		}
		shown[f.Credential] += f.Count
	}
	if !d.past.thief.like(shown) {
		out = append(out, fmt.Sprintf("evidence shows that the thief used %v before the campaign, which was %+v", shown, d.past.thief))
	}
	device := uses{}
	for _, u := range d.past.found.Uses {
		if u.Device.Count > 0 {
			device[u.Credential] = u.Device.Count
		}
	}
	if !d.past.device.like(device) {
		out = append(out, fmt.Sprintf("evidence shows that the device used %v, which was %+v", device, d.past.device))
	}
	return out
}

// checkSigns holds the record against what was done.
func (d *demo) checkSigns() {
	signed := uses{}
	for _, l := range d.signed() {
		for _, s := range l.Signs {
			if s.Grade != credential.Probable || !slices.Equal(s.Addresses, []string{thiefAddress}) || s.At == nil {
				d.wrong("the record has another sign of %s than logs show", l.Name)
			}
			signed[l.ID] += s.Count
		}
	}
	if !d.past.thief.like(signed) {
		d.wrong("the record has signs of %v, and the thief used %+v before the campaign", signed, d.past.thief)
	}
	if len(d.withoutLog()) == 0 {
		d.wrong("the record does not name the hours that no log covers")
	}
}

// signed are the credentials with signs of use in the record, in the order of
// these.
func (d *demo) signed() (out []*ledger.CredentialState) {
	for _, l := range d.state.Credentials {
		if len(l.Signs) > 0 {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b *ledger.CredentialState) int { return a.Signs[0].First.Compare(b.Signs[0].First) })
	return out
}

// evidenceLine is what the record has of the thief's uses before the campaign:
// grade, time, and file and line.
func (d *demo) evidenceLine() string {
	var each []string
	for _, l := range d.signed() {
		s := l.Worst()
		each = append(each, fmt.Sprintf("%s (%s, %s, %s:%d)", strings.SplitN(l.Name, ",", 2)[0], s.Grade, s.First.UTC().Format("15:04:05 MST"), s.At.Name, s.At.Line))
	}
	return fmt.Sprintf("%d stolen values used from %s before the campaign, as servers' logs have it: %s; these went first", len(each), thiefAddress, strings.Join(each, ", "))
}

// withoutLog are the parts of the exposure without a log, with the authorities
// that have none of them.
func (d *demo) withoutLog() (out []string) {
	of := map[string][]string{}
	for _, r := range d.state.Readings {
		for _, c := range r.Coverage {
			for _, g := range c.Gaps {
				when := g.From.UTC().Format("15:04") + " to " + g.To.UTC().Format("15:04 MST")
				if c.NoLog {
					when = "none at all"
				}
				name := strings.TrimSpace(c.Authority + " " + c.Server)
				if !c.NoLog {
					name = c.Authority
				}
				if !slices.Contains(of[when], name) && !c.InFront {
					of[when] = append(of[when], name)
				}
			}
		}
	}
	for _, when := range slices.Sorted(maps.Keys(of)) {
		out = append(out, when+" of "+strings.Join(of[when], ", "))
	}
	return out
}
