package record

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// accusing are findings that say that somebody changed a credential. It may
// have been Rollcall, in an earlier campaign: of another device that has the
// same account, or with another path in Vault.
var accusing = []credential.FindingCode{credential.FindingChangedBefore, credential.FindingPathRefused, credential.FindingStalePath}

// Accuses reports whether a finding says so.
func Accuses(f credential.Finding) bool { return slices.Contains(accusing, f.Code) }

// NameEarlier adds to such a finding on c which earlier campaign had it on its
// roll; nil where none had. not known: Vault could not be asked. Then it names
// none, and takes a stale path of what Rollcall has set before for one that it
// left behind.
func NameEarlier(f credential.Finding, c credential.Credential, was *ownmount.Earlier, known bool) credential.Finding {
	switch {
	case !known && f.Code == credential.FindingStalePath && len(c.Ours) > 0:
		// Rollcall has set it before, and whether that path had a part then is
		// not known.
		f.Code = credential.FindingLeftBehind
		return f
	case was == nil || !Accuses(f):
		return f
	case f.Code == credential.FindingChangedBefore && len(c.Ours) > 0:
		f.Detail = fmt.Sprintf("campaign %s put a value there that was in force, and it is refused now: somebody else changed it since; treat that as hostile until it is explained", was.Campaign)
		return f
	}
	if f.Code == credential.FindingStalePath && leftBehindBy(c, f.Detail, *was) {
		f.Code = credential.FindingLeftBehind
	}
	text := fmt.Sprintf("campaign %s of device %s, of %s, had it on its roll: Rollcall itself may have changed it then", was.Campaign, was.Device, was.OpenedAt.UTC().Format(time.DateOnly))
	f.Detail = strings.TrimPrefix(f.Detail+"; "+text, "; ")
	return f
}

// leftBehindBy reports whether a path that is not in force may have been so
// until Rollcall itself set another value: an earlier campaign had the
// credential, without that path, and activated it elsewhere. which is as
// rotation words it: "path 2, 3 of 3".
func leftBehindBy(c credential.Credential, which string, was ownmount.Earlier) bool {
	which, _, _ = strings.Cut(strings.TrimPrefix(which, "path "), " of ")
	for n := range strings.SplitSeq(which, ", ") {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(c.Paths) || len(c.Ours) == 0 {
			continue
		}
		if slices.ContainsFunc(was.Paths, func(had []credential.Path) bool { return !slices.Contains(had, c.Paths[i-1]) }) {
			return true
		}
	}
	return false
}
