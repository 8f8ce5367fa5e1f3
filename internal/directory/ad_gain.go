package directory

import (
	"maps"
	"slices"
	"strings"

	"rollcall/internal/directory/adacl"
)

// holder is a group, or an account that is not asked about, that has rights
// which somebody may take by taking it: by making himself a member, or by
// setting its password.
type holder struct {
	accountFor
	group bool
}

// takenBy reports whether who acts with sids may act as h, or give himself the
// right to.
func (h holder) takenBy(sids map[string]bool, by lists) bool {
	take := adacl.MayReset
	if h.group {
		take = adacl.MayChangeMembers
	}
	return take([]byte(h.sd), sids) || take(by.template, sids) ||
		slices.ContainsFunc(by.containers, func(sd []byte) bool { return adacl.MayRewrite(sd, sids) })
}

// named are the identifiers that the lists give something to; nil where one of
// them gives everybody everything.
func (h holder) named(by lists) map[string]bool {
	sds := append([][]byte{[]byte(h.sd)}, by.containers...)
	if len(by.template) > 0 {
		sds = append(sds, by.template)
	}
	return adacl.SIDsWithRights(sds)
}

// bySelf are the identifiers that by themselves may take h.
func (h holder) bySelf(by lists) (out []string) {
	for sid := range h.named(by) {
		if h.takenBy(map[string]bool{sid: true}, by) {
			out = append(out, sid)
		}
	}
	return out
}

// gain adds to what accounts act with what they may take, however many steps
// that needs, and notes by way of whom. It does no I/O.
func gain(accounts []accountFor, holders []holder, above map[string]containerFor) {
	acting := map[string][]int{} // accounts by the identifiers that they act with
	for i := range accounts {
		a := &accounts[i]
		a.ticket = maps.Clone(a.sids)
		for sid := range a.sids {
			acting[sid] = append(acting[sid], i)
		}
	}
	by, named, has := make([]lists, len(holders)), make([]map[string]bool, len(holders)), make([]map[int]bool, len(holders))
	for n, h := range holders {
		by[n] = listsOf(h.accountFor, above)
		named[n], has[n] = h.named(by[n]), map[int]bool{}
	}
	for again := true; again; {
		again = false
		for n, h := range holders {
			for _, i := range candidates(len(accounts), named[n], acting) {
				a := &accounts[i]
				if has[n][i] || !h.takenBy(a.sids, by[n]) {
					continue
				}
				has[n][i] = true
				for sid := range h.sids {
					if !a.sids[sid] {
						a.sids[sid] = true
						acting[sid] = append(acting[sid], i)
						a.took(sid, h)
						again = true
					}
				}
			}
		}
	}
}

// took notes that an account gets an identifier by way of a holder.
func (a *accountFor) took(sid string, h holder) {
	if a.by == nil {
		a.by = map[string]string{}
	}
	how := "it may set the password of " + h.dn
	if h.group {
		how = "it may change who is a member of " + h.dn
	}
	a.by[sid] = how
}

// reads reports whether whoever acts with sids may get every password of the
// domain with that head.
func reads(head []byte, sids map[string]bool) bool {
	return adacl.MayReplicate(head, sids) || adacl.Operates(sids)
}

// way says by way of whom an account reads, if not by itself. Of several ways
// it says one.
func (a accountFor) way(head []byte) string {
	for _, sid := range slices.Sorted(maps.Keys(a.by)) {
		if reads(head, map[string]bool{sid: true}) {
			return a.by[sid]
		}
	}
	if len(a.by) == 0 {
		return ""
	}
	all := slices.Sorted(maps.Values(a.by))
	return strings.Join(slices.Compact(all), ", and ")
}

// holding are the identifiers that by themselves may read all passwords of the
// domain with that head, or reset one of the accounts.
func holding(head []byte, accounts []accountFor, above map[string]containerFor) map[string]bool {
	out := map[string]bool{adacl.BackupOperators: true, adacl.ServerOperators: true, adacl.PrintOperators: true}
	for sid := range adacl.SIDsWithRights([][]byte{head}) {
		if adacl.MayReplicate(head, map[string]bool{sid: true}) {
			out[sid] = true
		}
	}
	seen := map[string]bool{}
	for _, a := range accounts {
		key := a.sd + "\x00" + strings.ToLower(parentDN(a.dn))
		if a.sd == "" || seen[key] {
			continue
		}
		seen[key] = true
		for _, sid := range (holder{accountFor: a}).bySelf(listsOf(a, above)) {
			out[sid] = true
		}
	}
	return out
}
