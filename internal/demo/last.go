package demo

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
)

// lastScreen is what a person remembers.
func (d *demo) lastScreen() {
	s := newScreen(d.Out)
	line := func(label, format string, args ...any) {
		text := wrap(fmt.Sprintf(format, args...), 12, s.width)
		s.say("  %s%s", s.dim(fmt.Sprintf("%-10s", label)), text[12:])
	}
	s.say("\n  %s\n", s.bold(report.Headline(d.state)))
	for _, l := range d.open() {
		why := expectedOpen(l)
		if why == "" {
			why = l.Detail
		}
		line("open", "%s: %s. %s", l.Name, l.Reason, why)
	}
	if found := d.findings(); found != "" {
		line("findings", "%s", found)
	}
	line("evidence", "%s", d.evidenceLine())
	line("no log", "%s", strings.Join(d.withoutLog(), "; "))
	line("profile", "%s", d.profileLine())
	line("covered", "%s", strings.Join(d.covered(), ", "))
	line("people", "%s", d.peopleLine())
	line("intruder", "%s", d.intruderLine())
	line("eavesdrop", "%s", d.eavesdropLine())
	line("sessions", "%s", d.sessionsLine())
	for _, at := range d.doors() {
		line(at.name, "%s", d.doorLine(at))
	}
	for _, missing := range d.doorsLeftOut() {
		line("left out", "%s", missing)
	}
	line("database", "%s", d.databaseLine())
	if d.noDomain == nil {
		line("domain", "%s", d.domainLine())
	} else {
		line("left out", "%s", d.leftOut())
	}
	if d.hour != nil {
		line("one reset", "%s", d.singleResetLine())
	}
	line("others", "%s", d.bystandersLine())
	line("ledger", "%s", d.ledgerLine())
	line("report", "%s", d.short(d.folder+".html"))
	line("picture", "%s", d.short(d.pictureFile()))
	line("record", "%s", d.short(d.folder))
	// In one line, to be copied.
	s.say("  %s%s ledger verify --ledger %s --key %s --anchor %s", s.dim(fmt.Sprintf("%-10s", "verify it")),
		d.short(d.Program), d.short(d.folder), d.short(d.keyFile()), d.short(d.anchorFile()))
	if len(d.unexpected) > 0 {
		s.say("\n  %s", s.paint("31", "It did not go as it should:"))
		for _, u := range d.unexpected {
			s.say("%s", wrap(u, 4, s.width))
		}
	}
}

func (d *demo) intruderLine() string {
	line := fmt.Sprintf("last got in %s after the start, ", seconds(d.summary.LastSuccess.Sub(d.state.StartedAt)))
	sinceSet := d.lastIn("")
	if sinceSet < 0 {
		return line + "and with nothing whose new value was set"
	}
	return line + fmt.Sprintf("and with nothing later than %s after its new value was set", seconds(sinceSet))
}

// eavesdropLine is what the intruder read of what is in force now.
func (d *demo) eavesdropLine() string {
	set, read, known := 0, 0, 0
	for _, l := range d.state.Credentials {
		if !l.SetAt.IsZero() {
			set++
		}
	}
	for _, h := range d.overheard.Heard {
		if h.New {
			read++
		}
		if len(h.Opens) > 0 {
			known++
		}
	}
	s := d.overheard.Sum
	line := fmt.Sprintf("%d of %d new values read with %d stolen logins and %d tokens in %s reads", read, set, s.Logins, s.Tokens, grouped(s.Reads))
	if read > 0 {
		line += fmt.Sprintf(", %d"+nbsp+"of them in force", known)
	}
	return line
}

// sessionsLine is about what no rotation ends.
func (d *demo) sessionsLine() string {
	s := d.overheard.Sum
	line := fmt.Sprintf("%d of %d LDAP connections that it bound with stolen passwords are still open: close them; ", s.ConnectionsOpen, s.Connections)
	if len(s.OwnPasswordSet) > 0 {
		return line + fmt.Sprintf("%d accounts took a new password over one", len(s.OwnPasswordSet))
	}
	return line + "none could set a password of its own"
}

// databaseLine is what became of the cluster's roles, and of the sessions that
// were opened with their stolen passwords.
func (d *demo) databaseLine() string {
	dead, listed := d.deadOf(estate.PostgresName)
	ended, kept := 0, 0
	for _, r := range d.results {
		if r.Via == intruder.Session && strings.HasPrefix(r.ID, estate.PostgresName+"/") {
			kept++
			if r.State == "refused" {
				ended++
			}
		}
	}
	return fmt.Sprintf("%d of %d dead, on a PostgreSQL primary and its replica; %d of %d sessions that it opened there with stolen passwords are ended", dead, listed, ended, kept)
}

// deadOf counts the credentials of an authority.
func (d *demo) deadOf(authority string) (dead, listed int) {
	for _, l := range d.state.Credentials {
		if l.Authority == authority {
			listed++
			if l.Outcome == ledger.Dead {
				dead++
			}
		}
	}
	return dead, listed
}

// grouped has a comma between thousands.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

func (d *demo) bystandersLine() string {
	if d.bystanders != nil {
		return "TOUCHED"
	}
	return fmt.Sprintf("%d of %d untouched, on every server and in Vault", len(d.estate.Bystanders), len(d.estate.Bystanders))
}

func (d *demo) ledgerLine() string {
	if d.verified.Size == 0 || !d.verified.OK() {
		return "NOT VERIFIED"
	}
	return fmt.Sprintf("verified, %d entries, with the public key and the checkpoint that Vault keeps", d.verified.Size)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f"+nbsp+"s", d.Seconds()) }

// findings are counted by code, in the order of the alphabet.
func (d *demo) findings() string {
	n := map[credential.FindingCode]int{}
	for _, l := range d.state.Credentials {
		for _, f := range l.Findings {
			n[f.Code]++
		}
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d"+nbsp+"%s", n[code], code))
	}
	return strings.Join(parts, ", ")
}

// short is a path as a person at this prompt would write it.
func (d *demo) short(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}
