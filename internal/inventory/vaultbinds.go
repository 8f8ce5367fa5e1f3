package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// vaultBind is an account with which Vault itself binds to a directory: every
// login of an auth mount of type ldap goes through it, and so does what a
// secrets engine for a directory does. It keeps the password in its own
// configuration, where nobody reads it and Rollcall may not write.
type vaultBind struct {
	at          string // the configuration's path in Vault
	dn          string // as it is there: a DN, or in a domain any name that binds
	directories map[string][]string
}

// bindOf notes with whom a configuration binds.
func (l *lister) bindOf(at string, config map[string]any, directories map[string][]string) {
	dn, _ := config["binddn"].(string)
	if dn = strings.TrimSpace(dn); dn != "" && len(directories) > 0 {
		l.binds = append(l.binds, vaultBind{at, dn, directories})
	}
}

// engineBinds reads with whom secrets engines for directories bind, and whose
// passwords they keep, as far as our login may.
func (l *lister) engineBinds(ctx context.Context) error {
	if len(l.c.Directories) == 0 || l.vault == nil {
		return nil
	}
	engines, err := l.readVault(ctx, "sys/mounts")
	if err != nil {
		return err
	}
	if engines == nil { // those with a right below them
		got, err := l.readVault(ctx, "sys/internal/ui/mounts")
		if err != nil || got == nil {
			return err
		}
		engines, _ = got["secret"].(map[string]any)
	}
	for _, mount := range slices.Sorted(maps.Keys(engines)) {
		about, _ := engines[mount].(map[string]any)
		kind, _ := about["type"].(string)
		if _, known := directoryEngines[kind]; !known {
			continue
		}
		if err := l.engine(ctx, strings.Trim(mount, "/"), kind); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) engine(ctx context.Context, mount, kind string) error {
	at := mount + "/config"
	read, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	denied := refusedBy(err, http.StatusForbidden)
	if err != nil && !denied {
		return vaultError("read", at, err)
	}
	directories, attr := map[string][]string{}, ""
	if read != nil {
		url, _ := read.Data["url"].(string)
		below, _ := read.Data["userdn"].(string)
		attr, _ = read.Data["userattr"].(string)
		directories = l.asks(ctx, strings.Split(url, ","), &authMount{below: strings.TrimSpace(below)})
		l.bindOf(at, read.Data, directories)
	} else { // it may be any
		for name := range l.c.Directories {
			directories[name] = nil
		}
	}
	if len(directories) == 0 {
		return nil // another directory's
	}
	if denied {
		l.warn(credential.FindingOtherWays, "%s is a secrets engine of Vault for a directory, and this login may not read its configuration (%s): whether it binds with an account of the roll is not known, and with a new password of that one it would stop; run rollcall init again (docs/rights.md)", mount, at)
	}
	hidden, err := l.keepersOf(ctx, mount, kind, strings.ToLower(attr), directories)
	if err != nil {
		return err
	}
	if len(hidden) > 0 {
		l.warn(credential.FindingOtherWays, "%s is a secrets engine of Vault for a directory, and this login may not read whose passwords it keeps (%s): if one is an account of the roll, what reads it there is cut off by a new password from here; run rollcall init again (docs/rights.md)", mount, strings.Join(hidden, ", "))
	}
	return nil
}

// is reports whether an account is the one that Vault binds with.
func (b vaultBind) is(authority string, a Account) bool {
	if _, asked := b.directories[authority]; !asked || a.facts == nil {
		return false
	}
	if dnKey(a.Name) == dnKey(b.dn) {
		return true
	}
	if !a.facts.domains || strings.Contains(b.dn, "=") {
		return false
	}
	if fold(b.dn) == fold(a.facts.principal) {
		return true
	}
	return slices.ContainsFunc(a.facts.login, func(login string) bool { return fold(login) == fold(loginOf(b.dn)) })
}

// loginOf is the login in a name that binds to a domain: DOMAIN\login, or
// login@domain, which a domain takes besides the principal that is stored.
func loginOf(name string) string {
	if _, short, ok := strings.Cut(name, `\`); ok {
		name = short
	}
	name, _, _ = strings.Cut(name, "@")
	return name
}

// servesVault marks a line whose account Vault binds with: with a new password
// Vault would be refused.
func (l *line) servesVault(authority string, a Account, binds []vaultBind) {
	for _, b := range binds {
		if !b.is(authority, a) {
			continue
		}
		detail := fmt.Sprintf("Vault itself binds with it (binddn of %s): from its new password on every login or request there fails until Vault has it too. "+
			"Give Vault an account of its own, that the device never had, and list again; or accept it, and right after the rotation: vault write %s bindpass=… (the path of the account in Vault holds it)", b.at, b.at)
		if !slices.ContainsFunc(l.findings, func(f credential.Finding) bool { return f.Detail == detail }) {
			l.find(credential.FindingVaultsBind, "%s", detail)
		}
		if !slices.Contains(l.problems, credential.VaultsBind) {
			l.problems = append(l.problems, credential.VaultsBind)
		}
		l.settle()
	}
}
