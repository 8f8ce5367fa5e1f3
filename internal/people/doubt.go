package people

import (
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// Roll is what a campaign knows of logins that count for nothing.
type Roll struct {
	// Logins to Vault that its credentials are, or that their passwords open:
	// mount/name, folded.
	Logins map[string]bool
	// Names of its accounts, folded: a provider of identities (OIDC, Kerberos,
	// RADIUS, SAML, Okta) may ask the same directory for the same password, and
	// Vault does not show which it asks.
	Names map[string]bool
	// Accepted are logins, mount/name, folded, of which a person said in the
	// campaign file that they are somebody's own.
	Accepted map[string]bool
}

// NewRoll is one of nothing, with the logins that a person accepted.
func NewRoll(accepted []string) Roll {
	out := Roll{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, login := range accepted {
		out.Accepted[strings.ToLower(login)] = true
	}
	return out
}

// Take takes in credentials of a roll, and what was left out of it: that was
// found on the device, and lives on.
func (r Roll) Take(roll []credential.Credential, excluded []credential.Exclusion) Roll {
	for _, c := range roll {
		r.add(c.VaultLogins(), c.AccountNames())
	}
	for _, x := range excluded {
		r.add(x.Logins, x.Names)
	}
	return r
}

func (r Roll) add(logins, names []string) {
	for _, login := range logins {
		r.Logins[strings.ToLower(login)] = true
	}
	for _, name := range names {
		if name != "" {
			r.Names[strings.ToLower(name)] = true
		}
	}
}

// Doubt says why the word of a person counts for nothing in a campaign; empty
// if it counts.
func (p Person) Doubt(roll Roll) string {
	switch {
	case p.ID == "" || p.Name == "":
		return "Vault knows no such entity"
	case p.Disabled:
		return "the entity is disabled"
	case len(p.Logins) == 0:
		return "the entity has no login by which a person comes"
	}
	for _, l := range p.Logins {
		if why := l.doubt(roll); why != "" {
			return why
		}
	}
	return ""
}

// OnRoll reports whether a login of the person is on the roll, or has the name
// of an account of it, and nobody accepted it.
func (p Person) OnRoll(roll Roll) bool {
	return slices.ContainsFunc(p.Logins, func(l Login) bool {
		login := strings.ToLower(l.String())
		return roll.Logins[login] || l.named(roll) && !roll.Accepted[login]
	})
}

// named reports whether a login has the name of an account of the roll, and may
// go by the same password. Those that do and keep a password of their own are
// on the roll.
func (l Login) named(roll Roll) bool {
	kept := credential.MethodOf(l.Method).Rotated()
	return (kept == nil || !kept.BareName) && slices.ContainsFunc(namesOf(l.Name), func(name string) bool { return roll.Names[name] })
}

func (l Login) doubt(roll Roll) string {
	const accept = "; if it is a person's own and nothing of the device's, accept it in the campaign file by its name (accept: - {vault: auth/MOUNT/NAME, reason: …})"
	comes := credential.MethodOf(l.Method).Comes
	switch login := strings.ToLower(l.String()); {
	case comes == credential.Programs:
		return "the entity has a login of a machine (" + l.Method + "): Rollcall's own, the device's, or another program's"
	case roll.Logins[login]:
		return "the entity has a login that is on the roll or was left out of it: whoever stole it could have written this"
	case roll.Accepted[login]:
		return ""
	case comes == credential.MostlyPrograms:
		return "the entity has a login of a kind that machines have (" + l.Method + ")" + accept
	case l.named(roll):
		return "the entity has a login (" + l.Method + ") of the name of an account that is on the roll or was left out of it: whoever stole that one's password may come in by it" + accept
	}
	return ""
}

// namesOf are what a login's name may call an account: the whole, the part
// before an @, and the part behind a domain.
func namesOf(login string) []string {
	login = strings.ToLower(strings.TrimSpace(login))
	out := []string{login}
	local, _, _ := strings.Cut(login, "@")
	out = append(out, local)
	for _, cut := range []string{"\\", "/"} {
		if i := strings.LastIndex(local, cut); i >= 0 {
			out = append(out, local[i+1:])
		}
	}
	return out
}
