package estate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// profileName is the profile of the device.
const profileName = "barracuda-esg"

// Lines of the profile that the estate's credentials are about. The sources
// say so of the first two, of which the profile has two of a kind; of the third
// the metadata of secrets in Vault does, which a person has to confirm.
const (
	lookups  = "ldap-lookup"
	smtpAuth = "ldap-smtp-auth"
	backups  = "backup-target"
	// Of these there is one line, and those of the list answer it by their
	// kind.
	databases   = "databases"
	vaultLogins = "vault-logins"
)

// profileYAML names the profile in the campaign file.
func (e *Estate) profileYAML() string {
	if !e.opts.Profile {
		return ""
	}
	return "profile: " + profileName + "\n"
}

// lineYAML says at a source which line of the profile it answers.
func (e *Estate) lineYAML(line string) string {
	if !e.opts.Profile {
		return ""
	}
	return "    line: " + line + "\n"
}

// answered gives each row of the list the line that it answers: accounts of the
// directory are those that check senders, and the roles of the database are
// known by their kind.
func (e *Estate) answered(rows [][]string) (out [][]string) {
	for _, r := range rows {
		if e.opts.Profile {
			line := ""
			if ofDirectory(r) {
				line = smtpAuth
			}
			r = append(r[:len(r):len(r)], line)
		}
		out = append(out, r)
	}
	return out
}

func ofDirectory(row []string) bool { return row[1] == "corp" }

// none is why the device holds nothing of these lines, in the order of the
// profile.
var none = [][2]string{
	{"admin-directory-accounts", "administrators log in with smart cards, and no log of the directory has one of them on the box"},
	{"radius-secret", "no realm uses RADIUS"},
	{"smtp-auth-users", "nobody sends mail through it with a log-in"},
	{"sso-users", "the quarantine is off"},
	{"remote-mailboxes", "it fetches no mail"},
	{"smart-host", "mail goes out directly"},
	{"local-accounts", "USERS > Account View lists none"},
	{"guest", "there is no such account"},
	{"api-password", "the API was never switched on"},
	{"snmp", "SNMP is off"},
	{"support-access", "no tunnel was ever open"},
	{"dkim-key", "another host signs"},
	{"saml-oidc", "nobody logs in by SAML"},
	{"mail-encryption", "no policy encrypts"},
	{"syslog-target", "the syslog server takes anything and asks for no log-in"},
	{"mail-content", "the store was searched: no message holds a secret"},
}

// later is what only a person can do, and by whom.
var later = [][3]string{
	{"cloud-control", "unlink the box, look for users that nobody made", "jo"},
	{"cluster-secret", "both nodes at once", "jo"},
	{"built-in-admin", "on the new box, and on each that had the same password", "kim"},
	{"tls-key", "a new key and certificate, then revoke the old one", "kim"},
	{"old-backups", "purge them on the file server", "kim"},
}

// writeAnswers writes what the people of the company answer to each line.
func (e *Estate) writeAnswers() error {
	if !e.opts.Profile {
		return nil
	}
	now := time.Now().UTC()
	var b strings.Builder
	fmt.Fprintf(&b, "device: %s\nprofile: %s\nby: jo@%s\non: %s\n\nanswers:\n", Device, profileName, "admin1", now.Format(time.DateOnly))
	for _, l := range []struct {
		line  string
		there bool
	}{
		{smtpAuth, slices.ContainsFunc(e.rows, ofDirectory)},
		{backups, len(e.domain) > 0}, // metadata alone says it, so a person does
		{databases, e.Postgres != nil},
		{vaultLogins, e.opts.AppRoles+e.opts.Users > 0},
	} {
		answer := "{none: it has none}"
		if l.there {
			answer = "covered"
		}
		fmt.Fprintf(&b, "  %s: %s\n", l.line, answer)
	}
	for _, l := range none {
		fmt.Fprintf(&b, "  %s: {none: %q}\n", l[0], l[1])
	}
	due := now.AddDate(0, 0, 30).Format(time.DateOnly)
	for _, l := range later {
		fmt.Fprintf(&b, "  %s: {later: %q, owner: %s, due: %s}\n", l[0], l[1], l[2], due)
	}
	return os.WriteFile(filepath.Join(e.Dir, "answers.yaml"), []byte(b.String()), 0o644)
}
