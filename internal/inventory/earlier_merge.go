package inventory

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// keep puts on the roll what earlier campaigns left and no source names.
func (m *merger) keep() {
	for _, k := range m.lost.past.kept {
		if m.isNamed(k) || k.leftOut && m.isLeftOut(k) {
			continue
		}
		paths := m.withoutLeftOut(k)
		if k.Subject != "" && k.Hearsay && len(k.Paths) > 0 && len(paths) == 0 {
			continue // a person left out the only place that names it
		}
		l := m.draftOf(k)
		l.Paths, l.named, l.kept = paths, k.Named, k.campaign
		l.Reasons = []credential.Reason{k.candidate().Reason}
		for _, r := range k.Reasons {
			if r.Type != earlierType {
				l.Reasons = append(l.Reasons, r)
			}
		}
		switch {
		case k.Problem == credential.SameName && l.Subject != "":
			l.problems = append(l.problems, credential.SameName)
			l.nameProblem()
			l.find(credential.FindingSameName, "it %s, for no source names it, and nobody could ask it whether it takes what was stolen (%s). If the device had its password, list it (a line of a manifest with account %s), and it is rotated; if it has nothing to do with the device, exclude account %s", k.was(), k.name(), l.Subject, l.Subject)
		case l.Subject == "":
			l.find(credential.FindingNotNamed, "it %s, and no source of this campaign names it; nothing is done to it: %s", k.was(), notNamedDo(k))
		case k.staged:
			l.find(credential.FindingNotNamed, "no source of this campaign names it; campaign %s left a new value staged for it, which may be in force and nowhere else, so it is rotated to its end", k.campaign)
		case len(k.Alike) > 0:
			l.find(credential.FindingNotNamed, "it %s, where it took the value of an account of its name at another authority: it is rotated, although no source names it", k.was())
		case k.rotate:
			l.find(credential.FindingNotNamed, "it %s, and the source that named it then names it no more, although the campaign file has it unchanged: it is rotated all the same; find out who took away what named it", k.was())
		default:
			l.find(credential.FindingNotNamed, "it %s, and the campaign file has no source any more that names it; nothing is done to it: %s", k.was(), notNamedDo(k))
			// The last of its problems: whoever accepts another one has not
			// named it.
			l.problems = append(l.problems, credential.NotNamed)
			l.nameProblem()
		}
	}
}

// isNamed: something else puts it on the roll, whether or not a person takes it
// off again.
func (m *merger) isNamed(k kept) bool {
	if k.Subject != "" || m.drafts[k.ID] != nil {
		return m.drafts[k.ID] != nil
	}
	for _, p := range k.Paths {
		if slices.Contains(m.lost.rows[secretPathOf(p)], p.Field) {
			return true
		}
		for _, l := range m.drafts {
			if slices.ContainsFunc(l.Paths, func(q credential.Path) bool { return secretPathOf(p) == secretPathOf(q) }) {
				return true
			}
		}
	}
	return len(m.withoutLeftOut(k)) < len(k.Paths)
}

// isLeftOut: a place that this campaign leaves out is all that names it.
func (m *merger) isLeftOut(k kept) bool {
	return slices.ContainsFunc(m.leftOut, func(p leftPath) bool {
		return slices.ContainsFunc(m.accounts(p.Candidate), func(a Account) bool { return p.Authority+"/"+a.Subject == k.ID })
	})
}

// withoutLeftOut are its paths but for those that a person left out, which are
// noted as such.
func (m *merger) withoutLeftOut(k kept) []credential.Path {
	var out []credential.Path
	for _, p := range k.Paths {
		i := slices.IndexFunc(m.c.Exclude, func(e config.Exclude) bool { return names(e, p) })
		if i < 0 {
			out = append(out, p)
			continue
		}
		c := k.candidate()
		c.Path = &p
		m.leftOut = append(m.leftOut, leftPath{c, m.c.Exclude[i].Reason})
	}
	return out
}

// draftOf makes the draft, of the account if that is still there.
func (m *merger) draftOf(k kept) *draft {
	if found := m.accounts(k.candidate()); k.Subject != "" && len(found) == 1 {
		m.matched(Candidate{Kind: k.Kind, Authority: k.Authority, Reason: k.candidate().Reason}, found[0])
		l := m.drafts[k.ID]
		l.told, l.Alike = !k.Hearsay, k.Alike
		return l
	}
	l := &draft{Credential: credential.Credential{ID: k.ID, Kind: k.Kind, Authority: k.Authority, Name: k.Name, Problem: k.Problem}}
	if k.Subject != "" {
		l.Problem = credential.NoAccount
		l.find(credential.FindingNoAccount, "the account is not in %s: deleted, outside of base, or hidden from bind.dn, or the campaign file has no such directory", k.Authority)
		l.logins = []string{k.Subject}
	}
	m.drafts[k.ID] = l
	return l
}

// leftStaged refuses to leave out what this device's campaigns may have cut off
// from its consumers, and says what lies in staging alone and is on no roll.
// What a campaign of another device left there is only said: an exclude here is
// no slip, for that device's campaign sees to it.
func (m *merger) leftStaged(roll *credential.Roll) ([]Warning, error) {
	var warnings []Warning
	for _, left := range m.lost.past.leftovers {
		authority, _, _ := strings.Cut(left.ID, "/")
		if authority == credential.PersonAuthority {
			continue // nothing reads it but its owner, whose task is kept (allTasks)
		}
		if ours := m.hasAuthority(authority); !ours && !m.c.IsDevice(left.Device) && authority != credential.VaultAuthority {
			continue // of a directory that this campaign does not have
		}
		i := slices.IndexFunc(roll.Excluded, func(x credential.Exclusion) bool { return x.ID == left.ID })
		j := slices.IndexFunc(roll.Excluded, func(x credential.Exclusion) bool {
			p, path := strings.CutPrefix(x.ID, placeOf)
			return path && slices.Contains(left.Paths, p)
		})
		from := "a campaign"
		if left.Campaign != "" {
			from = "campaign " + left.Campaign
		}
		others := left.Device != "" && !m.c.IsDevice(left.Device)
		const alone = "left a new value staged that may be in force and lies nowhere else"
		switch name := m.nameOf(left); {
		case m.drafts[left.ID] == nil && m.isGone(left.ID): // so a person left it out
			// Nothing accepts what is staged, and no campaign could finish it.
			warnings = append(warnings, Warning{Code: credential.FindingAccepted, Detail: fmt.Sprintf("%s: %s left a new value staged for it, and it is excluded: its authority shows no such account any more; one that is restored accepts that value (%s/%s) or the stolen one", name, from, m.c.Vault.Mount, ownmount.StagingPath(left.ID))})
		case others && (i >= 0 || j >= 0):
			warnings = append(warnings, Warning{Code: credential.FindingLeftStaged, Detail: fmt.Sprintf("%s: %s of device %s %s, and this campaign leaves %s: run a campaign of that device, which goes on with it, or copy the value from %s/%s to where its consumers read",
				name, from, left.Device, alone, leavesOut(roll, j), m.c.Vault.Mount, ownmount.StagingPath(left.ID))})
		case i >= 0 && left.Campaign != "":
			return nil, &naming{
				fmt.Errorf("exclude: %s: %s %s: nothing was listed; take the exclude out, let a campaign finish it, then exclude it (or copy the value from %s/%s to where its consumers read, and delete it there)",
					roll.Excluded[i].Name, from, alone, m.c.Vault.Mount, ownmount.StagingPath(left.ID)),
				"an exclude names a credential for which " + from + " " + alone + "; take it out, let a campaign finish it, then exclude it",
			}
		case j >= 0:
			return nil, &naming{
				fmt.Errorf("exclude: %s: %s %s, and it was meant for that path: nothing was listed; take the exclude out, let a campaign finish it, then exclude it", roll.Excluded[j].Name, from, alone),
				"an exclude names a path for which " + from + " " + alone + "; take it out, let a campaign finish it, then exclude it",
			}
		case m.drafts[left.ID] != nil && (!others || m.drafts[left.ID].Problem != credential.OnlyInLogs):
		case others:
			warnings = append(warnings, Warning{Code: credential.FindingLeftStaged, Detail: fmt.Sprintf("%s: %s of device %s %s: run a campaign of that device, which goes on with it", name, from, left.Device, alone)})
		default:
			warnings = append(warnings, Warning{Code: credential.FindingLeftStaged, Detail: fmt.Sprintf("%s: %s %s, and nothing of this campaign names it: name the account in a source, and the next campaign goes on with it", name, from, alone)})
		}
	}
	return warnings, nil
}

// leavesOut says what an exclusion of a path is about; below 0, of the account.
func leavesOut(roll *credential.Roll, i int) string {
	if i < 0 {
		return "it out"
	}
	return "out " + strings.TrimPrefix(roll.Excluded[i].ID, placeOf) + ", for which it was meant"
}

// isGone reports whether the authority was asked for a credential's account and
// has none.
func (m *merger) isGone(id string) bool {
	i := slices.IndexFunc(m.lost.past.kept, func(k kept) bool { return k.ID == id })
	if i < 0 {
		return false
	}
	k := m.lost.past.kept[i]
	return k.Subject != "" && k.Authority != credential.VaultAuthority && m.hasAuthority(k.Authority) && len(m.accounts(k.candidate())) == 0
}

func (m *merger) nameOf(left ownmount.Leftover) string {
	if left.Listed != nil {
		return left.Listed.Name + " (" + left.ID + ")"
	}
	return left.ID
}
