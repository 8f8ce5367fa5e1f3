package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// The domain's part of the company, if there can be one.
const (
	domainAccounts   = 8
	domainBystanders = 2
	domainWave       = "  - {name: domain, directory: " + estate.DomainName + ", batch: 4}\n"
)

// leftOut says in one line what the demo does without, why, and how to get it.
func (d *demo) leftOut() string {
	what, again := "the Active Directory domain", d.short(d.Program)+" demo"
	if d.ShowSingleReset {
		what, again = what+" and its single reset", again+" --show-single-reset"
	}
	switch {
	case errors.Is(d.noDomain, lab.ErrNotRoot):
		return what + ": it needs root. sudo " + again
	case errors.Is(d.noDomain, lab.ErrNoSamba):
		return what + ": it needs Samba. scripts/setup.sh installs it"
	default:
		return what + ": root may make no network namespace here, or mount in it. Run it outside of this container"
	}
}

// singleReset says whether there is an account that is reset once.
func (d *demo) singleReset() bool { return d.ShowSingleReset && d.noDomain == nil }

// stolen is all that the intruder holds.
func (d *demo) stolen() []intruder.Stolen {
	if d.singleReset() {
		return append(slices.Clone(d.estate.Stolen), d.estate.Single)
	}
	return d.estate.Stolen
}

// hour is what a single reset left to the intruder.
type hour struct {
	at   time.Time     // when the new value was in force
	left time.Duration // from then to the last login with the stolen one
}

func (d *demo) resetOnce(ctx context.Context) error {
	if !d.singleReset() {
		return nil
	}
	at, err := d.estate.ResetOnce(ctx)
	d.hour = &hour{at: at}
	return err
}

// ownResults are those of the credentials that Rollcall was to rotate.
func (d *demo) ownResults(all []intruder.Result) []intruder.Result {
	return slices.DeleteFunc(slices.Clone(all), func(r intruder.Result) bool { return d.singleReset() && r.ID == d.estate.Single.ID })
}

// ownOverheard is what was read of what Rollcall was to rotate.
func (d *demo) ownOverheard(all intruder.Overheard) intruder.Overheard {
	if d.singleReset() {
		n := len(all.Heard)
		all.Heard = slices.DeleteFunc(slices.Clone(all.Heard), func(h intruder.Heard) bool { return h.ID == d.estate.Single.ID })
		d.readOnce = len(all.Heard) < n
	}
	return all
}

// askAboutSingleReset measures what the single reset left. That the stolen
// password does not log in any more would be good news of that domain, and not
// what the screen is about to say.
func (d *demo) askAboutSingleReset(all []intruder.Result) string {
	for _, r := range all {
		if r.ID != d.estate.Single.ID {
			continue
		}
		d.hour.left = r.LastSuccess.Sub(d.hour.at)
		if d.hour.left > 0 && !r.LastSuccess.Before(r.LastAnswer.Time) {
			return "; still in with " + estate.SingleReset + ", which was reset once"
		}
	}
	d.wrong("%s was reset once, and its stolen password did not log in at the intruder's last try: this domain leaves no hour to show", estate.SingleReset)
	return ""
}

// domainLine is what became of the domain's accounts.
func (d *demo) domainLine() string {
	dead, listed := d.deadOf(estate.DomainName)
	line := fmt.Sprintf("%d of %d dead, each reset twice to one new value: ", dead, listed)
	if since := d.lastIn(estate.DomainName + "/"); since < 0 {
		line += "nothing was left to the intruder"
	} else {
		line += fmt.Sprintf("at most %s were left to the intruder", seconds(since))
	}
	if d.hour == nil {
		line += "; a single reset leaves an hour (--show-single-reset)"
	}
	return line
}

// singleResetLine is the hour beside it.
func (d *demo) singleResetLine() string {
	line := fmt.Sprintf("%s, on purpose and not by Rollcall: the stolen password still got in %s after the reset, at the end, "+
		"and would for up to 60 minutes (OldPasswordAllowedPeriod)", estate.SingleReset, seconds(d.hour.left))
	if d.readOnce {
		line += "; the new one was read in Vault as soon as it was there"
	}
	return line
}

// domainEnv is the domain's part of the environment for looking around.
func (d *demo) domainEnv() string {
	if d.noDomain != nil {
		return ""
	}
	return fmt.Sprintf("export DC=%s DCBASE=%s DCADMIN=%s\n", d.estate.Domain.LDAPS(), d.estate.Domain.ServicesDN(), d.estate.Domain.AdminDN)
}

// lookAtDomain says how to look at the domain.
func (d *demo) lookAtDomain(part func(title string, lines ...string)) {
	dc := d.estate.Domain
	// A search, for Samba does not answer "Who am I?" (RFC 4532).
	as := func(uid, password string) string {
		return "ldapsearch -x -LLL -H $DC -D " + dc.LoginName(uid) + " " + password + " -s base -b '' dnsHostName"
	}
	part("The domain: when was each password set? And log in with the one that Vault shows now",
		"ldapsearch -x -LLL -H $DC -D $DCADMIN -y "+domainAdminFile+" -b $DCBASE '(cn=*)' pwdLastSet",
		as("svc-ad-0001", "-W"))
	if d.singleReset() {
		part("The account that was reset once: its stolen password still logs in, for an hour",
			as(estate.SingleReset, "-y "+stolenFile))
	}
	part("The domain controller, with its own tool, inside its network namespace",
		dc.Inside("samba-tool")+" user show svc-ad-0001 --configfile="+dc.Config(),
		dc.Inside("samba-tool")+" domain passwordsettings show --configfile="+dc.Config())
}
