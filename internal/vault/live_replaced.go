package vault

import (
	"maps"
	"slices"
	"time"

	"rollcall/internal/credential"
)

// replacedBy is what Activate wrote over l. A bare value of our own is not
// searched for the forms of somebody else's, which costs more than all else
// here.
func (l Live) replacedBy(e Entry, field string, value credential.Secret) Live {
	if l.around != nil {
		out := liveTo(e, field, l.users)
		out.Replaced, out.Over = l.Version, l.beneath(field)
		return out
	}
	owner, _ := e.Data[OwnerField].(string)
	return Live{
		Value: value, Version: e.Version, Written: e.Written, Found: true, Ends: e.ends, Replaced: l.Version, Over: l.beneath(field),
		Keys: slices.Sorted(maps.Keys(e.Data)), Owner: owner, data: e.Data, field: field, users: l.users,
	}
}

// beneath is when a version was written that has other fields than one.
func (l Live) beneath(field string) time.Time {
	own := (credential.Path{Field: field}).Fields()
	for key := range l.data {
		if key != OwnerField && !slices.Contains(own, key) {
			return l.Written
		}
	}
	return time.Time{}
}
