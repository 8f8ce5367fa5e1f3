package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/report"
)

// checkOwners looks whether whoever has a task can do it.
func (s *session) checkOwners(ctx context.Context, roll *credential.Roll) (rows []doctorRow) {
	tasks := 0
	for _, c := range roll.Credentials {
		if c.Task != nil && c.Problem == "" {
			tasks++
		}
	}
	if tasks == 0 {
		return nil
	}
	owners, err := listing.Owners(ctx, s.store, roll)
	if err != nil {
		return []doctorRow{{Where: "people", What: "owners of tasks", Detail: err.Error(), Do: "put this right: whether they can do them is not known"}}
	}
	for _, o := range owners {
		rows = append(rows, doctorRow{Where: "people", What: o.Task.Name, OK: o.NotAsked, NotChecked: o.NotAsked,
			Detail: fmt.Sprintf("%s sees to %s: %s", o.Owner, strings.Join(o.Ends, ", "), o.Why), Do: o.Do})
	}
	if !slices.ContainsFunc(rows, func(r doctorRow) bool { return !r.OK || r.NotChecked }) {
		rows = append(rows, doctorRow{Where: "people", What: "owners of tasks", OK: true, Detail: "Vault knows whoever sees to " + report.Plural(tasks, "task", "tasks")})
	}
	return rows
}
