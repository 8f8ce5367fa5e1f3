package rotation

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// A finding that nobody can make a second time (credential.FindingCode.ByDoing)
// is lost with the process that made it, if that is killed before its batch is
// told of. So the staging entry has it too, until the credential is dead and
// recorded. What the ledger has already is not recorded again.

// maxFound bounds what an entry keeps: a pass every few seconds may find more
// each time.
const maxFound = 16

// withFound is an entry with what this Apply has found by doing.
func (j *job) withFound(entry ownmount.Staged) ownmount.Staged {
	for _, f := range j.out.Findings {
		told := f.Detail == "" && f.Code == entry.Changed // the entry says it already
		if f.Code.ByDoing() && !told && !slices.Contains(entry.Found, f) && len(entry.Found) < maxFound {
			entry.Found = append(slices.Clone(entry.Found), f)
		}
	}
	return entry
}

// keepFound writes what this Apply has found by doing. It is no promise, and an
// error is left alone: the finding is still told by who made it.
func (j *job) keepFound(ctx context.Context) {
	entry := j.withFound(j.staged)
	if len(entry.Found) == len(j.staged.Found) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWrite)
	defer cancel()
	_ = j.replaceStaged(ctx, entry)
}

// tellKept adds what earlier processes found by doing.
func (j *job) tellKept() {
	for _, f := range j.staged.Found {
		if !slices.ContainsFunc(j.out.Findings, func(have credential.Finding) bool { return have == f || have.Code == f.Code && f.Detail == "" }) {
			j.out.Findings = append(j.out.Findings, f)
		}
	}
}
