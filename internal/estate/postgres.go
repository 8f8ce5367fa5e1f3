package estate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// PostgresName is what the campaign file calls the PostgreSQL cluster.
const PostgresName = "appdb"

// startPostgres starts a primary and its replica, if there are to be any.
func (e *Estate) startPostgres(ctx context.Context) (err error) {
	if e.opts.Postgres == 0 {
		return nil
	}
	roles, bystanders := lab.SeedAccounts("svc-pg-", e.opts.Postgres), lab.SeedAccounts("app-pg-", e.opts.PostgresBystanders)
	kept := []string{"fsync = on", "full_page_writes = on"} // the lab's own settings are nothing for a company, says doctor
	e.Postgres, err = lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(e.Dir, "postgres"), CA: e.CA, Conf: kept, Accounts: append(roles[:len(roles):len(roles)], bystanders...)})
	if err != nil {
		return err
	}
	e.PostgresReplica, err = lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(e.Dir, "postgres-replica"), CA: e.CA, Conf: kept, ReplicaOf: e.Postgres})
	if err != nil {
		return err
	}
	conn, err := e.Postgres.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	oid := func(role string) (id string, err error) {
		err = conn.QueryRow(ctx, "SELECT oid::text FROM pg_roles WHERE rolname = $1", role).Scan(&id)
		return PostgresName + "/" + id, err
	}
	for _, a := range roles {
		id, err := oid(a.UID)
		if err != nil {
			return fmt.Errorf("estate: reading the oid of %s: %w", a.UID, err)
		}
		e.roles = append(e.roles, domainAccount{a.UID, id})
	}
	for _, a := range bystanders {
		e.roleBystanders = append(e.roleBystanders, a.UID)
	}
	rights := fmt.Sprintf("GRANT SELECT ON pg_catalog.pg_hba_file_rules TO %[1]s, %[2]s; GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO %[1]s, %[2]s", e.Postgres.Admin, e.Postgres.Partner)
	if _, err := conn.Exec(ctx, rights); err != nil {
		return fmt.Errorf("estate: letting the worker's roles read pg_hba.conf: %w", err)
	}
	for _, role := range []string{e.Postgres.Admin, e.Postgres.Partner} {
		if e.ownRoles[role], err = oid(role); err != nil {
			return fmt.Errorf("estate: reading the oid of %s: %w", role, err)
		}
	}
	return nil
}

// OwnRoleID is the ledger's id of a role as which the worker logs in.
func (e *Estate) OwnRoleID(role string) string { return e.ownRoles[role] }

// PostgresServers are the primary and its replica.
func (e *Estate) PostgresServers() []string {
	return []string{e.Postgres.URL(), e.PostgresReplica.URL()}
}

// heldAs says how a role is known: most by the metadata of their path; one in
// four, from the second on, by the manifest; the last by that alone, so that
// Vault has no path for it.
func (e *Estate) heldAs(i int) (path string, listed bool) {
	switch role := e.roles[i].uid; {
	case i > 0 && i == len(e.roles)-1:
		return "", true
	case i%4 == 1:
		return "db/" + role, true
	default:
		return prefix + "/" + role, false
	}
}

func (e *Estate) seedPostgres(secrets, metadata map[string]map[string]any) {
	if e.Postgres == nil {
		return
	}
	e.seedBinders(secrets, "infra/rollcall-bind-db", e.Postgres.AdminPassword, e.Postgres.PartnerPassword)
	of := func(id, role, password string) intruder.Stolen {
		return intruder.Stolen{ID: id, Kind: intruder.Postgres, Servers: e.PostgresServers(), CAPEM: e.Postgres.CA, User: role, Password: password}
	}
	for i, r := range e.roles {
		password := e.Postgres.SeededPassword(r.uid)
		e.Stolen = append(e.Stolen, of(r.id, r.uid, password))
		path, listed := e.heldAs(i)
		at := ""
		if path != "" {
			at = "kv/" + path + "#password"
			secrets[path] = map[string]any{"username": r.uid, "password": password, "host": "db1.example.org"}
			e.Live[r.id] = credential.Path{Mount: "kv", Path: path, Field: "password"}
		}
		if listed {
			e.rows = append(e.rows, []string{string(credential.PostgresPassword), PostgresName, r.uid, at, "from the handover"})
		} else {
			metadata[path] = map[string]any{"directory": PostgresName, "account": r.uid, "field": "password"}
			if e.opts.Profile {
				metadata[path]["line"] = databases
			}
		}
	}
	for _, role := range e.roleBystanders {
		secrets[bystanderPath(role)] = map[string]any{"username": role, "password": e.Postgres.SeededPassword(role)}
		metadata[bystanderPath(role)] = map[string]any{"directory": PostgresName, "account": role, "field": "password"}
		e.Bystanders[roleBystander(role)] = credential.NewSecret(e.Postgres.SeededPassword(role))
		e.Known = append(e.Known, known(of(PostgresName+"/"+role, role, "")))
	}
	for role, id := range e.ownRoles {
		if !e.opts.Pair {
			e.Known = append(e.Known, known(of(id, role, "")))
		}
	}
}

func known(s intruder.Stolen) intruder.Stolen {
	s.Known = true
	return s
}

// roleBystander names a role among Bystanders, where the others are DNs.
func roleBystander(role string) string { return "role=" + role + "," + PostgresName }

// postgresYAML is the cluster's section of the campaign file.
func (e *Estate) postgresYAML() string {
	if e.Postgres == nil {
		return ""
	}
	bind := fmt.Sprintf("    bind: {role: %s, password: kv/infra/rollcall-bind-db#password}\n", e.Postgres.Admin)
	if e.opts.Pair {
		bind = fmt.Sprintf("    bind:\n      - {role: %s, password: kv/infra/rollcall-bind-db#password}\n      - {role: %s, password: kv/infra/rollcall-bind-db-b#password}\n",
			e.Postgres.Admin, e.Postgres.Partner)
	}
	return fmt.Sprintf("postgresql:\n  %s:\n    servers:\n      - %s\n    ca_file: ca.pem\n%s%s\n", PostgresName, strings.Join(e.PostgresServers(), "\n      - "), bind, e.Cluster)
}

// rolesLogIn tries the bystanders among the roles on every server.
func (e *Estate) rolesLogIn(ctx context.Context) error {
	if e.Postgres == nil {
		return nil
	}
	var all errgroup.Group
	wrong := make([]error, len(e.roleBystanders)*2)
	for i, role := range e.roleBystanders {
		for n, s := range []*lab.Postgres{e.Postgres, e.PostgresReplica} {
			all.Go(func() error {
				conn, err := s.Connect(ctx, role, e.Bystanders[roleBystander(role)].Reveal(), "postgres")
				if err != nil {
					wrong[2*i+n] = fmt.Errorf("estate: %s can no longer log in at %s: %w", role, s.URL(), err)
					return nil
				}
				return conn.Close(ctx)
			})
		}
	}
	return errors.Join(append(wrong, all.Wait())...)
}
