package inventory

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/paste"
)

// Who writes a DN into Vault's configuration may spell it in any way that the
// directory's schema knows (RFC 4512 section 2.5: a type has several names, and
// an OID). Where its types are ones of which we know the names, texts decide;
// any other the directory is asked for, and what it calls the entry counts.

// namer is a directory that says what it calls an entry.
type namer interface {
	NameOf(ctx context.Context, dn string) (string, error)
}

// asked is what a directory called an entry, and whether it has one.
type asked struct {
	as    string
	known bool
}

// spelled is what a directory calls the entry of a DN. known is false where
// neither it nor the text tells.
func (l *lister) spelled(ctx context.Context, name, dn string) (as string, known bool, err error) {
	if dn == "" || directory.Comparable(dn) {
		return dn, true, nil
	}
	d, ok := l.dirs[name].(namer)
	if !ok || !l.concerns(map[string][]string{name: nil}) {
		return dn, false, nil
	}
	key := reference{name, dn}
	if had, ok := l.spellings.Load(key); ok {
		return had.(asked).as, had.(asked).known, nil
	}
	as, err = d.NameOf(ctx, dn)
	switch {
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	case directory.IsUnreachable(err):
		return "", false, &atDirectory{fmt.Errorf("looking up in directory %s whom Vault's configuration names: %w; nothing was changed: check that the server answers (rollcall doctor)", name, err)}
	case err != nil || as == "":
		as = dn // it may not be asked for that, or knows none, or hides it
	default:
		known = true
	}
	l.spellings.Store(key, asked{as, known})
	return as, known, nil
}

// atDirectory is an error of a directory where others are of Vault.
type atDirectory struct{ error }

func (e *atDirectory) Unwrap() error { return e.error }

// sid and guid are names by which a domain lets an account bind that stand in
// none of the attributes that are read ([MS-ADTS] section 5.1.1.1.1), and by
// which it finds an entry ([MS-ADTS] section 3.1.1.3.1.2.4).
var (
	sid  = regexp.MustCompile(`^(?i)S-1(-\d+)+$`)
	guid = regexp.MustCompile(`^\{?([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)
)

// meant adds to a use what the directories call the accounts that it names.
// unknown are the DNs that say nothing to any of them, nor to us.
func (l *lister) meant(ctx context.Context, u *vaultUse) (unknown []string, err error) {
	for _, name := range slices.Clone(u.names) {
		found := false
		for in := range u.in {
			dn := name
			switch domain := l.c.Directories[in].HasDomains(); {
			case l.c.Directories[in].Driver == "": // no directory
				continue
			case domain && sid.MatchString(name):
				dn = "<SID=" + name + ">"
			case domain && guid.MatchString(name):
				dn = "<GUID=" + guid.FindStringSubmatch(name)[1] + ">"
			case !strings.Contains(name, "="):
				found = true // a name, which is compared
				continue
			}
			as, known, err := l.spelled(ctx, in, dn)
			if err != nil {
				return nil, err
			}
			if found = found || known; known && !slices.Contains(u.names, as) {
				u.names = append(u.names, as)
			}
		}
		if !found && strings.Contains(name, "=") {
			unknown = append(unknown, name)
		}
	}
	return unknown, nil
}

// noteUse keeps a use, and says what of it is nobody's as far as can be told.
func (l *lister) noteUse(ctx context.Context, place string, u vaultUse) error {
	unknown, err := l.meant(ctx, &u)
	if err != nil {
		return err
	}
	if len(unknown) > 0 && !slices.ContainsFunc(u.names, func(n string) bool { return !strings.Contains(n, "=") }) {
		l.unsure(place, fmt.Sprintf("%s names %q, and no directory of the campaign shows bind.dn an entry of that name, and its spelling cannot be held against theirs: if it is an account of the roll, Vault works with it, and its new password ends that", u.at, unknown[0]),
			"write that name there as the directory does (uid=…,ou=…,dc=…)")
	}
	l.uses = append(l.uses, u)
	return nil
}

// liesIn notes what each directory that a mount asks calls the entry below
// which it looks for accounts. Where neither it nor the text tells, all
// accounts are taken to lie there.
func (l *lister) liesIn(ctx context.Context, m *authMount) error {
	for name := range m.servers {
		as, known, err := l.spelled(ctx, name, m.below)
		if err != nil {
			return err
		}
		if m.lies == nil {
			m.lies = map[string]asked{}
		}
		m.lies[name] = asked{as, known}
		if !known {
			l.unsure("auth/"+m.name, fmt.Sprintf("it looks for accounts below %q, and %s shows bind.dn no entry of that name, and its spelling cannot be held against theirs: all of its accounts on the roll are taken to log in there", m.below, name),
				"write its userdn as the directory does (ou=…,dc=…)")
		}
	}
	return nil
}

// unsure warns of a place in Vault that is understood in part, unless a person
// has accepted it.
func (l *lister) unsure(place, text, mend string) {
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Vault == place }); i >= 0 {
		l.warn(credential.FindingAccepted, "%s in Vault: %s; the campaign file accepts that: %s", place, text, l.c.Accept[i].Reason)
		return
	}
	l.warn(credential.FindingVaultHidden, "%s: %s; %s, or, once somebody has looked there: %s", place, text, mend, paste.Entry("accept", "vault", place))
}
