package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/ledger"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// heldAt are the places and versions that held what was stolen of a credential.
type heldAt struct {
	credential int
	path       credential.Path
	version    int // 0: the current one
}

// evidenceRoll takes the roll of a campaign's ledger, which has to verify, or
// lists one.
func (a *app) evidenceRoll(ctx context.Context, cfg *config.Campaign, f evidenceFlags, o *evidence.Options) error {
	if f.campaign == "" {
		a.say("note: the roll is listed afresh; with --campaign it is read from a ledger, without Vault")
		return a.withVault(ctx, func(s *session) error {
			roll, err := s.listed(ctx)
			if err != nil {
				return err
			}
			var at []heldAt
			o.Judge.Credentials, at = rollForEvidence(roll, o.Domains)
			serversOf(o, roll.Servers)
			if err := s.nameDomains(ctx, o.Domains); err != nil {
				return err
			}
			return s.hashValues(ctx, f.auditDevice, at, o)
		})
	}
	var args []string
	if f.campaign != "latest" {
		args = []string{f.campaign}
	}
	dir, err := a.findLedger(ctx, "", args)
	if err != nil {
		return err
	}
	state, verified, err := readLedger(ctx, dir)
	switch {
	case err != nil:
		return err
	case state.OfEvidence:
		return noRollIn(state.Campaign)
	case len(verified.Problems) > 0: // a death that somebody moved would hide who tried the value after it
		return fmt.Errorf("the ledger of campaign %s does not verify, so its roll and its deaths are not believed: %s; no log was read; `rollcall ledger verify %[1]s` says all that is wrong, and without --campaign the roll is listed afresh", paste.Shell(state.Campaign), verified.Problems[0])
	}
	var at []heldAt
	o.Campaign = state.Campaign
	o.Judge.DeviceName, o.Judge.Campaign = cmp.Or(state.Device, cfg.Device), state.Campaign
	o.Judge.Credentials, at = ledgerForEvidence(state, o.Domains)
	serversOf(o, state.Servers)
	if f.auditDevice == "" {
		return nil
	}
	return a.withVault(ctx, func(s *session) error { return s.hashValues(ctx, f.auditDevice, at, o) })
}

// serversOf takes the servers of directories as they were found, where that is
// known.
func serversOf(o *evidence.Options, found map[string][]string) {
	for name := range o.Servers {
		if all := found[name]; len(all) > 0 {
			o.Servers[name] = all
		}
	}
}

// noRollIn refuses a ledger of what logs show as whose roll logs are held
// against: it has none, so nothing would ever be found.
func noRollIn(name string) error {
	return fmt.Errorf("%s is the ledger of what logs show of a device, and has no roll: name a campaign (`--campaign latest`)", paste.Shell(name))
}

// nameDomains asks each domain what it is called for short.
func (s *session) nameDomains(ctx context.Context, domains map[string]evidence.Domain) error {
	for name, is := range domains {
		d, err := s.kinds.Directory(s.cfg, name)
		if err != nil {
			return err
		}
		if is.NetBIOS, err = d.DomainName(ctx, d.Servers()[0]); err != nil {
			return err
		}
		domains[name] = is
	}
	return nil
}

func rollForEvidence(roll *credential.Roll, domains map[string]evidence.Domain) (out []judge.Credential, at []heldAt) {
	for _, c := range roll.Credentials {
		if c.Kind.ByHand() || c.Subject == "" {
			continue
		}
		_, domain := domains[c.Authority]
		is := credentialForEvidence(c.ID, c.Name, c.Authority, loginsOf(c.Name, c.LoginNames, domain), c.VaultLogins())
		for _, p := range c.Paths {
			at = append(at, heldAt{len(out), p, 0})
		}
		out = append(out, is)
	}
	return out, at
}

func ledgerForEvidence(state *ledger.State, domains map[string]evidence.Domain) (out []judge.Credential, at []heldAt) {
	for c := range state.All() {
		if c.Kind.ByHand() || strings.HasPrefix(c.ID, "unmatched/") {
			continue
		}
		_, domain := domains[c.Authority]
		is := credentialForEvidence(c.ID, c.Name, c.Authority, loginsOf(c.Name, c.Logins, domain), c.VaultLogins)
		is.Unnamed = len(c.Logins) == 0 && !c.Kind.OpensVault() && (domain || state.Rules < ledger.RulesNamed && isDN(c.Name))
		is.Rotated, is.Begun, is.Set = c.DeadAt, c.AnnouncedAt, c.SetAt
		for _, p := range c.Paths {
			if v := c.From[p.String()]; v > 0 {
				at = append(at, heldAt{len(out), p, v})
			}
		}
		out = append(out, is)
	}
	return out, at
}

func credentialForEvidence(id, name, authority string, logins []judge.Account, atVault []string) judge.Credential {
	is := judge.Credential{ID: id, Name: name, Authority: authority}
	if authority == credential.VaultAuthority {
		is.Accounts = []judge.Account{{Form: event.VaultLogin, Name: strings.TrimPrefix(id, credential.VaultAuthority+"/")}, {Form: event.VaultLogin, Name: name}}
	} else {
		is.Accounts = append([]judge.Account{{Form: event.DN, Name: name}}, logins...)
	}
	for _, login := range atVault {
		is.Accounts = append(is.Accounts, judge.Account{Form: event.VaultLogin, Name: login})
	}
	return is
}

// loginsOf are the names by which an entry is called for short: its logins, or
// where nobody knows them those of its DN's first part. What is no DN is a name
// already. In a domain that part is the CN, and another account may log in by
// it; so it may by what stands before the @ of a userPrincipalName.
func loginsOf(name string, logins []string, domain bool) (out []judge.Account) {
	for _, login := range logins {
		out = append(out, judge.Account{Form: event.Login, Name: login, Guess: domain && strings.Contains(login, "@")})
	}
	if len(out) > 0 {
		return out
	}
	if !isDN(name) {
		return []judge.Account{{Form: event.Login, Name: name}}
	}
	dn, _ := directory.ParseDN(name)
	for _, a := range dn.RDNs[0].Attributes {
		out = append(out, judge.Account{Form: event.Login, Name: a.Value, Guess: domain})
	}
	return out
}

func isDN(name string) bool {
	dn, err := directory.ParseDN(name)
	return err == nil && len(dn.RDNs) > 0
}

// hashValues has Vault hash what was stolen, where an audit device is named.
func (s *session) hashValues(ctx context.Context, device string, at []heldAt, o *evidence.Options) error {
	if device == "" {
		return nil
	}
	o.Judge.Hashes = map[string][]judge.HashOf{}
	add := func(value credential.Secret, credential int, what string) error {
		hash, err := s.store.AuditHash(ctx, device, value)
		if err == nil {
			o.Judge.Hashes[hash] = append(o.Judge.Hashes[hash], judge.HashOf{Credential: credential, What: what})
		}
		return err
	}
	hashed, gone := map[int]bool{}, 0
	for _, h := range at {
		live, err := s.store.ReadLive(ctx, h.path, h.version)
		switch {
		case err != nil:
			return err
		case !live.Found:
			gone++
			continue
		}
		if err := add(live.Value, h.credential, judge.OfValue); err != nil {
			return err
		}
		hashed[h.credential] = true
	}
	for i, c := range o.Judge.Credentials {
		if c.Authority != credential.VaultAuthority {
			continue
		}
		id, err := s.store.RoleID(ctx, c.Accounts[0].Name)
		if err == nil && id != "" {
			err = add(credential.NewSecret(id), i, judge.OfRole)
		}
		if err != nil {
			return err
		}
	}
	s.say("note: the values of %d of %s are looked for by their hashes; at %s Vault has them no longer. A value with a line's end behind it has another hash, and so has every value of before the audit device was enabled",
		len(hashed), plural.Count(len(o.Judge.Credentials), "credential", "credentials"), plural.Count(gone, "place", "places"))
	return nil
}
