package inventory

import "slices"

// usesIndex finds which uses an account may be of without asking each: an
// engine keeps as many passwords as a roll has accounts.
type usesIndex struct {
	all   []vaultUse
	at    map[string][]int // by what an account is named there
	attrs []string         // by which their engines look for accounts
}

func indexUses(all []vaultUse) usesIndex {
	x := usesIndex{all: all, at: map[string][]int{}}
	for i, u := range all {
		if u.attr != "" && !slices.Contains(x.attrs, u.attr) {
			x.attrs = append(x.attrs, u.attr)
		}
		for _, key := range u.keys() {
			if key != "" {
				x.at[key] = append(x.at[key], i)
			}
		}
	}
	return x
}

// keys are the names of which an account that is meant has one.
func (u vaultUse) keys() (keys []string) {
	for _, name := range u.names {
		keys = append(keys, fold(name), dnKey(name), fold(loginOf(name)))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// of gives the uses of an account, in the order in which they were read.
func (x usesIndex) of(authority string, a Account) []vaultUse {
	var names []string
	switch {
	case len(x.all) == 0:
		return nil
	case a.system != nil:
		names = []string{a.system.Name}
	case a.facts != nil:
		names = slices.Concat([]string{a.facts.principal}, rdnOf(a.Name), a.facts.login)
		for _, attr := range x.attrs {
			names = append(names, a.facts.named[attr]...)
		}
	}
	may := slices.Clone(x.at[dnKey(a.Name)])
	for _, name := range names {
		may = append(may, x.at[fold(name)]...)
	}
	slices.Sort(may)
	var out []vaultUse
	for _, i := range slices.Compact(may) {
		if x.all[i].is(authority, a) {
			out = append(out, x.all[i])
		}
	}
	return out
}
