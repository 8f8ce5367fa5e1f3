package demo

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// doorAccounts is how the names of the accounts begin that log in at the doors
// too.
const doorAccounts = "svc-esg-001"

// doorCache is for how long the mail server keeps logins, which is an hour
// where nobody says otherwise (auth_cache_ttl). It keeps refusals as well: what
// the intruder offers after the campaign would shut out the new values of the
// next one for as long.
const doorCache = 5 * time.Second

// doorsLeftOut says in one line each what the demo does without where services
// in front of the directory cannot be started. They are a part of the job, and
// not what it is about.
func (d *demo) doorsLeftOut() []string {
	switch {
	case d.noDoors != nil:
		return []string{"the doors, which are a mail and a file server in front of the directory: they need Dovecot and ProFTPD. scripts/setup.sh installs them"}
	case d.noRelay != nil:
		return []string{"one of the doors, the mail relay: it needs root, Postfix and saslauthd. scripts/setup.sh installs these, and sudo " + d.short(d.Program) + " demo has root"}
	}
	return nil
}

// doorsStarted are those that are there.
func (d *demo) doorsStarted() string {
	if d.noRelay != nil {
		return "a mail server and a file server"
	}
	return "a mail server, a mail relay and a file server"
}

// doors are the estate's, in the order of the last screen, and what is said of
// each beside its figures.
func (d *demo) doors() []doorOfDemo {
	if d.noDoors != nil {
		return nil
	}
	at := d.estate.DoorPlaces()
	out := []doorOfDemo{{estate.MailDoor, at[estate.MailDoor], "Dovecot, by IMAP", fmt.Sprintf(", which keeps logins for %.0f"+nbsp+"s", doorCache.Seconds())}}
	if d.noRelay == nil {
		out = append(out, doorOfDemo{estate.RelayDoor, at[estate.RelayDoor], "Postfix, by SMTP", fmt.Sprintf(", whose saslauthd keeps logins for %.0f"+nbsp+"hours", estate.RelayCache.Hours())})
	}
	return append(out, doorOfDemo{estate.FilesDoor, at[estate.FilesDoor], "ProFTPD, by FTP", ", which keeps none"})
}

type doorOfDemo struct{ name, place, software, keeps string }

// shutAt counts the credentials that open a door, and those of them that it
// refused as stolen.
func (d *demo) shutAt(name string) (shut, opens int) {
	for _, l := range d.state.Credentials {
		if !slices.Contains(l.Doors, name) {
			continue
		}
		opens++
		if l.Outcome == ledger.Dead && slices.ContainsFunc(l.AtDoors, func(ev protocol.DoorEvidence) bool {
			return ev.Door == name && ev.Old == protocol.Refused
		}) {
			shut++
		}
	}
	return shut, opens
}

// longestAt is the longest that a stolen value got the intruder in at a place
// after the directory refused it, and how many were asked about and still get
// in.
func (d *demo) longestAt(place string) (longest time.Duration, asked, in int) {
	for _, l := range intruder.Lives(d.results) {
		if l.Server != place {
			continue
		}
		asked++
		longest = max(longest, l.For)
		if l.In {
			in++
		}
	}
	return longest, asked, in
}

// doorLine is what became of the stolen values at a door.
func (d *demo) doorLine(at doorOfDemo) string {
	shut, opens := d.shutAt(at.name)
	longest, _, in := d.longestAt(at.place)
	line := fmt.Sprintf("%d of %d stolen values shut out of %s%s: ", shut, opens, at.software, at.keeps)
	switch {
	case in > 0:
		return line + fmt.Sprintf("%d STILL GET IN", in)
	case longest < 100*time.Millisecond: // less than a try takes
		return line + "none got in once the directory refused it"
	}
	return line + fmt.Sprintf("they got in for %s at most after the directory refused them", seconds(longest))
}

// checkDoors holds what the record says of each door against what the intruder
// was let in with there. That nothing got in after its death is for the judge.
func (d *demo) checkDoors() {
	for _, at := range d.doors() {
		shut, opens := d.shutAt(at.name)
		_, asked, in := d.longestAt(at.place)
		if want := len(d.estate.AtDoors); shut != want || opens != want || asked != want || in > 0 {
			d.wrong("door %s: %d of %d are shut in the record, and of %d that the intruder tried there %d get in; all should be %d", at.name, shut, opens, asked, in, want)
		}
	}
}

// doorsEnv is the doors' part of the environment for looking around.
func (d *demo) doorsEnv() string {
	if d.noDoors != nil {
		return ""
	}
	env := fmt.Sprintf("export MAIL=%s POP3S=%s FILES=%s", d.estate.Mail.Address("imaps"), d.estate.Mail.Address("pop3s"), d.estate.Files.Address("strict"))
	if d.noRelay == nil {
		env += " RELAY=" + d.estate.Relay.Address("submission")
	}
	return env + "\n"
}

// lookAtDoors says how to look at the doors.
func (d *demo) lookAtDoors(part func(title string, lines ...string)) {
	log := func(path string) string {
		if rel, err := filepath.Rel(d.temp, path); err == nil {
			return rel
		}
		return path
	}
	part("The doors: whom did the mail server let in, when, and whom not? And what does Rollcall say of each",
		"grep svc-esg-0010 "+log(d.estate.Mail.LogFile())+" | tail -n 5",
		"rollcall doctor")
	part("Log in at the mail server with the password that Vault shows now (curl asks for it)",
		"curl -sS --cacert ca.pem -u svc-esg-0010 imaps://$MAIL")
	if d.noRelay == nil {
		part("The relay's saslauthd: whom did it let in, and whom by what it keeps?",
			"grep svc-esg-0010 "+log(d.estate.Checker.LogFile())+" | tail -n 5")
	}
}
