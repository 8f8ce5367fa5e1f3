package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A device that has another name in the next file, for it was renamed or
// another person wrote that, is another device to whoever goes by names: what
// its campaign left open would be on no roll any more.

// readOthers reads those rolls, and where their devices are: what would take a
// new value to one of them waits as what would take it to this one. A person
// answers for all of a device that another machine does the work of by now, at
// its addresses.
func (l *lister) readOthers(ctx context.Context) (err error) {
	l.others, err = l.vault.OtherRolls(ctx, l.c.Device, l.c.Formerly...)
	if vault.IsDenied(err) {
		return nil // as readEarlier
	}
	if err != nil {
		return fmt.Errorf("what campaigns of other devices left: %w; the listing was given up and nothing was changed", err)
	}
	own := l.taken.Hosts()
	l.taken.Others = map[string]string{}
	for _, r := range l.others {
		if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.AcceptsHostsOf(r.Device) }); i >= 0 {
			if len(r.Hosts) > 0 {
				l.warn(credential.FindingAccepted, "what points at %s, which campaign %s says was in foreign hands, is not kept from new values, as the campaign file accepts: %s", r.Device, r.Campaign, l.c.Accept[i].Reason)
			}
			continue
		}
		for _, h := range r.Hosts {
			if !slices.Contains(own, h) && l.taken.Others[h] == "" {
				l.taken.Others[h] = r.Device
			}
		}
	}
	return nil
}

// sayOtherDevices says what the newest rolls of other devices have open at this
// file's authorities and nothing here names.
func (l *lister) sayOtherDevices(ctx context.Context, roll *credential.Roll) error {
	known := map[string]bool{credential.VaultAuthority + "/" + vault.WorkerRole: true}
	for _, c := range roll.Credentials {
		known[c.ID] = true
	}
	for _, x := range roll.Excluded {
		known[x.ID] = true
	}
	dead := map[string]bool{} // in a later campaign than those that follow
	last := l.past.last
	var later []ownmount.OtherRoll // of which it was not read what is dead
	for _, r := range l.others {   // the newest first
		if last != nil && last.OpenedAt.After(r.OpenedAt) {
			addDead(dead, last.Dead)
			last = nil
		}
		var open []credential.Credential
		for _, was := range r.Open {
			own := was.Problem == credential.OwnIdentity || was.Problem == credential.SameName
			at := was.Authority == credential.VaultAuthority || l.c.Authority(was.Authority) != nil
			if was.Subject != "" && at && !own && !known[was.ID] {
				open = append(open, was)
			}
		}
		var logins []credential.Credential
		for _, was := range r.Open {
			if isOpenLogin(was) && !known[was.ID] && !dead[was.ID] {
				logins = append(logins, was)
			}
		}
		leftOut, reasons := leftOutLogins(l.c, r)
		for ; len(open)+len(logins)+len(leftOut) > 0 && len(later) > 0; later = later[1:] {
			ids, err := later[0].Dead(ctx)
			if err != nil {
				return fmt.Errorf("what campaigns of other devices left: %w; the listing was given up and nothing was changed", err)
			}
			addDead(dead, ids)
		}
		later = append(later, r)
		isDead := func(c credential.Credential) bool { return dead[c.ID] }
		open = slices.DeleteFunc(open, isDead)
		l.elsewhereOpen.add(r, "has it open", slices.DeleteFunc(logins, isDead)...)
		for i, x := range leftOut {
			if !known[x.ID] && !isDead(x) {
				l.elsewhereOpen.add(r, fmt.Sprintf("leaves it out (%s)", reasons[i]), x)
			}
		}
		if r.Lives {
			continue // it goes on with them
		}
		there, _, err := l.stillThere(ctx, open)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			continue
		}
		if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool {
			return a.Device != "" && a.Problem == "" && config.SameDevice(a.Device, r.Device)
		}); i >= 0 {
			l.warn(credential.FindingAccepted, "campaign %s of device %s left %d open that nothing here names, which the campaign file accepts: %s", r.Campaign, r.Device, len(there), l.c.Accept[i].Reason)
			continue
		}
		l.warn(credential.FindingOpenElsewhere, "campaign %s of device %s left %d open that nothing here names: %s. If %s is this device under another name, write `formerly: [%s]` at the top of the campaign file, and they stay on the roll; "+
			"if it is another one, run a campaign of it, or accept that by its name (%s)", r.Campaign, r.Device, len(there), some(there), r.Device, paste.YAML(r.Device), paste.Entry("accept", "device", r.Device))
	}
	return nil
}

func addDead(to, from map[string]bool) {
	for id, is := range from {
		to[id] = to[id] || is
	}
}
