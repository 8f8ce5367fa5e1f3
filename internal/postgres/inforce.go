package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// What pg_hba_file_rules shows is the file as it is now. What lets roles in is
// what the server read when it last loaded it, and no view shows that: after an
// edit that nobody loaded, or one that is wrong, an older file is in force.

// hbaFile says when the file was written (mtime), when it was put in place or
// touched in any way (ctime: cp -p and rsync keep the first and not that one),
// whether it takes names or lines from other files, which have times of their
// own, and whether a word such as all is in quotes, which makes a mere name of
// it and which pg_hba_file_rules does not show. Comments do not count. Nothing
// of its text leaves the server.
const hbaFile = `SELECT s.modification AS modified, s.change AS changed,
    t ~ '(^|[\s,])@|(^|\n)\s*include' AS others,
    t ~ '(^|[\s,])"+(\+|(all|replication|same(user|role|group|host|net))"*([\s,]|$))' AS quoted
    FROM pg_catalog.pg_stat_file(current_setting('hba_file')) s,
    regexp_replace(encode(pg_read_binary_file(current_setting('hba_file')), 'escape'), '("[^"\n]*")|#[^\n]*', '\1', 'g') t`

// fileState is what a server shows of its pg_hba.conf.
type fileState struct {
	modified, changed *time.Time // in whole seconds
	others, quoted    bool
	loaded            time.Time // when the server last loaded it
}

// judge says that an older file is in force, or why it may be. What was written
// in the very second in which it was loaded counts as loaded: whoever edits and
// loads by a script does both within it.
func (f fileState) judge() (older, unsure string) {
	after := func(t *time.Time) bool { return t != nil && t.After(f.loaded) }
	switch {
	case after(f.modified):
		return "its pg_hba.conf was changed after it was loaded, so that an older one is in force, which does not show", ""
	case f.modified == nil:
		return "", "when its pg_hba.conf was changed does not show"
	case after(f.changed):
		return "", "its pg_hba.conf was put in its place, or touched, after it was loaded (a copy may keep the time of its original)"
	case f.others:
		return "", "its pg_hba.conf names other files (@…, include), and whether those were changed since does not show"
	}
	return "", ""
}

// notInForce says why the lines that were read are not those that let roles in;
// "" if nothing shows that.
func (a around) notInForce() string {
	if i := slices.IndexFunc(a.rules, func(r Rule) bool { return r.Error != "" }); i >= 0 {
		return fmt.Sprintf("line %d of its pg_hba.conf is wrong, so that the file is not loaded: an older one is in force, which does not show", a.rules[i].Line)
	}
	return a.older
}

// mayBeOlder is the warning that nothing says which file is in force.
func (a around) mayBeOlder(server string) (authority.Hidden, bool) {
	if a.unsure == "" || a.notInForce() != "" {
		return authority.Hidden{}, false
	}
	return authority.Hidden{Code: credential.FindingRulesHidden, Server: server, Detail: a.unsure +
		": an older one may be in force, and let in a role by a line that the file has no more, and that role would be called dead all the same; " + a.doLoad}, true
}

// What to do where that does not show.
const (
	doLoad   = "have it loaded, which changes nothing where it is the same: SELECT pg_reload_conf()"
	showFile = "give Rollcall's role the function rollcall.hba_file, as docs/rights.md has it now"
)

// inForce asks a server whether the file is what it loaded. It takes a session
// of its own for that: in one from before, pg_conf_load_time() is when that
// session took the settings over, which it does with the next statement, long
// after the server's own load perhaps.
func (s *server) inForce(ctx context.Context, out *around) error {
	f := fileState{}
	shown := false
	err := s.afresh(ctx, "look when pg_hba.conf was loaded", func(ctx context.Context, conn *session) error {
		query := "(" + hbaFile + ")"
		if !conn.rights.super {
			var there bool
			if err := conn.QueryRow(ctx, "SELECT "+askFunction("hba_file", "p.pronargs = 0 AND p.prorettype = 'pg_catalog.record'::regtype AND 'quoted' = ANY(p.proargnames)")).Scan(&there); err != nil || !there {
				return err
			}
			query = "rollcall.hba_file()"
		}
		shown = true
		return conn.QueryRow(ctx, "SELECT f.modified, f.changed, coalesce(f.others, true), coalesce(f.quoted, true), pg_conf_load_time() FROM "+query+" f").
			Scan(&f.modified, &f.changed, &f.others, &f.quoted, &f.loaded)
	})
	switch {
	case refusal(err) != "", err == nil && !shown: // or a file that is not where it was
		out.unsure, out.doLoad = "whether its pg_hba.conf is what is in force does not show to Rollcall's role, nor which words of it are in quotes", showFile
		return nil
	case err != nil:
		return err
	}
	out.older, out.unsure = f.judge()
	out.doLoad, out.quoted = doLoad, f.quoted
	return nil
}

// afresh runs f in a session that is made for it, as the first of the worker's
// identities that the server lets in.
func (s *server) afresh(ctx context.Context, what string, f func(context.Context, *session) error) (failed error) {
	for _, i := range s.identities {
		conn, err := i.dial(ctx)
		if isRefused(err) {
			if failed == nil {
				failed = err
			}
			continue
		}
		if err != nil {
			return err
		}
		defer conn.close(ctx)
		return s.do(ctx, conn, what, func(ctx context.Context) error { return f(ctx, conn) })
	}
	return failed
}
