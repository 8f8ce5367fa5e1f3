package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// A login from the device that a server has in its log shows that the device
// had a good value of that account. But a log is text: who can send a line to a
// syslog, or changes a file, can have it name any account. To set a new
// password of an account that is none of the device's would cut off who uses
// it, which is what such a line would be written for. So what logs alone name
// is on the roll, and stays open until a person says that it is the device's.

// fromLogs lists what logs have as let in from the device.
func (l *lister) fromLogs(ctx context.Context, s config.Source) error {
	for _, f := range s.Seen {
		c := Candidate{Authority: f.Authority, Account: f.Account, Reason: credential.Reason{Source: s.Name, Type: s.Type, Detail: seenDetail(f)}}
		switch {
		case f.Form == event.VaultLogin:
			c.Authority = credential.VaultAuthority
			l.behindMount(&c)
		case f.Form == event.Foreign:
			c.Authority = "" // of another domain than the log's
		case c.Authority == "":
			c.Authority, c.Assumed = onlyAuthority(l.c), true
		}
		authority, subject, _ := strings.Cut(f.Credential, "/")
		if _, directory := l.c.Directories[authority]; directory && formOf(subject) == byID {
			c.Account = subject // of the roll: whatever it is called by now
		}
		c.Kind = l.c.KindOf(c.Authority)
		if c.Authority == credential.VaultAuthority {
			c.Kind = credential.AppRoleSecretID
			if err := l.loginKind(ctx, &c); err != nil {
				return err
			}
		}
		l.add(c)
	}
	l.sayNotTaken(s)
	return nil
}

// behindMount makes a login at an auth mount of type ldap one of the account
// whose password it was.
func (l *lister) behindMount(c *Candidate) {
	mount, name, ok := cutRole(c.Account)
	for _, m := range l.mounts {
		if !ok || m.name != mount || len(m.servers) != 1 {
			continue
		}
		for directory := range m.servers {
			c.Authority, c.Account = directory, name
			c.Reason.Detail += fmt.Sprintf("; it logged in to Vault at auth/%s", m.name)
		}
		return
	}
}

// seenDetail says what was seen: the fields of a log's line, and never the
// line.
func seenDetail(f taken.Account) string {
	verb := map[event.Outcome]string{event.Accepted: "let in", event.ValueRight: "seen with the right value, and not let in by it alone,"}[f.Outcome]
	if verb == "" {
		verb = "seen (how that login ended is not in the logs)"
	}
	text := fmt.Sprintf("%s from the device %s at %s, %s:%d (%s: %s", verb, cmp.Or(f.Address, f.Client), f.First.UTC().Format(time.RFC3339), f.At.File, f.At.Line, f.Grade, f.Rule)
	if f.Count > 1 {
		text += fmt.Sprintf("; %s, last %s", plural.Count(f.Count, "time", "times"), f.Last.UTC().Format(time.RFC3339))
	}
	for _, d := range f.Doubts {
		text += "; doubt: " + string(d)
	}
	return text + ")"
}

// sayNotTaken says what else the logs have of the device.
func (l *lister) sayNotTaken(s config.Source) {
	n := s.NotTaken
	if n.Tried > 0 {
		more := ""
		if n.Tried > len(n.Names) {
			more = fmt.Sprintf(" and %d more", n.Tried-len(n.Names))
		}
		l.warn(credential.FindingTriedOnly, "source %s: %s tried from the device and refused each time, so the device had no good value of %s as far as those logs go, and nothing of that is taken up: %s%s. If one is the device's all the same, list it",
			s.Name, plural.Count(n.Tried, "account was", "accounts were"), plural.Pick(n.Tried, "it", "them"), strings.Join(n.Names, ", "), more)
	}
	var why []string
	if n.Masked > 0 {
		why = append(why, fmt.Sprintf("of %s from the device the log does not say how it ended, and what stands for a name may be a value that somebody typed", plural.Count(n.Masked, "login", "logins")))
	}
	if n.NameOnly > 0 {
		why = append(why, fmt.Sprintf("%s let in from an address that is none of the device's, by who called himself as the device does, and %s not taken up", plural.Count(n.NameOnly, "account was", "accounts were"), plural.Pick(n.NameOnly, "is", "are")))
	}
	if n.More > 0 {
		why = append(why, fmt.Sprintf("%s beyond the first %d are not taken up", plural.Count(n.More, "account", "accounts"), taken.Most))
	}
	if n.Spelt > 0 {
		why = append(why, fmt.Sprintf("of %s more ways to write the name were met than are kept apart", plural.Count(n.Spelt, "account", "accounts")))
	}
	if len(why) == 0 {
		return
	}
	text := fmt.Sprintf("source %s: %s", s.Name, strings.Join(why, "; "))
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Source == s.Name }); i >= 0 {
		l.warn(credential.FindingAccepted, "%s, which the campaign file accepts: %s", text, l.c.Accept[i].Reason)
		return
	}
	l.warn(credential.FindingLogsHaveMore, "%s: look into those logs, and list what is the device's; then say so: %s", text, paste.Entry("accept", "source", s.Name))
}

// onlyLogged: logs tie it to the device, and nothing else does.
func (d *draft) onlyLogged() bool { return d.logged && !d.told && !d.hinted && d.Subject != "" }

// onlyInLogs keeps open what logs alone name. What a campaign has staged for an
// account goes on, by the word of who began it.
func (m *merger) onlyInLogs() {
	for id, l := range m.drafts {
		if !l.onlyLogged() {
			continue
		}
		if m.isStaged(id) {
			l.told = true
			l.find(credential.FindingOnlyInLogs, "nothing but logs names it by now, and a campaign left a new value staged for it, which may be in force and nowhere else: it is rotated to its end")
			continue
		}
		row := "directory,account: " + paste.CSV(l.Authority, l.Name)
		person := ""
		if l.Authority == credential.VaultAuthority {
			row = "kind,account: " + paste.CSV(string(l.Kind), l.Name)
		} else if d := m.c.Directories[l.Authority]; d.TakesPeople() {
			person = fmt.Sprintf(" (with kind %s, if it is a person's)", credential.UserPassword)
		}
		l.find(credential.FindingOnlyInLogs, "only logs say that the device used it, and whoever can write a log can name any account there, so that nothing is set of it. If the device had its password, say so by a row of a manifest (%s)%s, or accept that (%s); if it has nothing to do with the device, exclude it (%s)",
			row, person, paste.Entry("accept", "account", l.Name, "problem", string(credential.OnlyInLogs)), paste.Entry("exclude", "account", l.Name))
		if l.Problem == "" {
			l.Problem = credential.OnlyInLogs
		}
	}
}

// isStaged reports whether a campaign of this device left a value staged that
// may be in force. What one of another device left is that one's to finish.
func (m *merger) isStaged(id string) bool {
	for _, left := range m.lost.past.leftovers {
		if left.ID == id && (left.Device == "" || m.c.IsDevice(left.Device)) {
			return true
		}
	}
	return false
}

// notFoundInLogs says of a name in a log that means no account which it may be.
func (m *merger) notFoundInLogs(l *draft, c Candidate) {
	holder, hint := m.lost.parts.holder(c.Authority, c.Account), m.lost.hints[refTo(m.c, c.Authority, c.Account)]
	l.unfound(c, holder)
	out := fmt.Sprintf("if it is none of the device's, exclude it (%s)", paste.Entry("exclude", "account", c.Account))
	code, text := credential.FindingNoAccount, ""
	switch {
	case holder != "":
		code, text = credential.FindingBehindReferral, "was not found: "+holder
	case hint != "":
		text = "was not looked for: " + hint
	case c.Authority == "" && len(m.c.Authorities()) == 0:
		text = "is of no authority of the campaign file, which has none: add the one that knows it"
	case c.Authority == "" && !c.Assumed:
		text = "is of another domain than the server whose log it is, or of a machine alone, and the campaign file may not have it: add that directory, or change the password there by hand (a row of a manifest, kind by-hand)"
	case c.Authority == "":
		text = "is of no authority that anybody named: say before that log whose it is (" + m.c.Authorities()[0] + "=FILE), and run evidence again; or list the account"
	case c.Authority != credential.VaultAuthority && !m.hasAuthority(c.Authority):
		text = fmt.Sprintf("is of %s, an authority that the campaign file does not have: add it, or run evidence again", c.Authority)
	case m.unasked(c):
		text = "is a login to Vault that Rollcall may not look up: name it in a source of type vault-approle or vault-userpass, or in a manifest, and run rollcall init again"
	case c.Authority == credential.VaultAuthority:
		text = "is no login to Vault that is there: it was removed, or is of a type of auth mount that Rollcall does not rotate; close it there"
	case m.atRDN(c) != "":
		text = fmt.Sprintf("is nobody's login in %s, and the name of %s begins with that: if it is meant, list that", c.Authority, m.atRDN(c))
	default:
		text = fmt.Sprintf("is not in %s: deleted or renamed since, outside the base, or hidden from bind.dn; find out which", c.Authority)
	}
	l.find(code, "logs have %q from the device, which %s; %s", c.Account, text, out)
}
