package postgres

// A role without a password logs in by a certificate, peer or Kerberos, and a
// reset would give it a login that nobody asked for. pg_authid alone says which
// those are, and shows the verifiers besides. A function that a superuser has
// made says that and no more (docs/rights.md).

// askPresence asks whether the function is there.
var askPresence = askFunction("has_no_password", "p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.oid'::regtype AND p.prorettype = 'pg_catalog.bool'::regtype")

// askFunction asks whether a function of docs/rights.md is there for us.
// Whoever owns a function has it do as us what he likes, and whoever owns its
// schema may put another one in its place. So it counts only if both are a
// superuser's, and if it runs as its owner.
func askFunction(name, form string) string {
	return `EXISTS (SELECT FROM pg_catalog.pg_proc p
		JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		JOIN pg_catalog.pg_roles po ON po.oid = p.proowner
		JOIN pg_catalog.pg_roles no ON no.oid = n.nspowner
		WHERE n.nspname = 'rollcall' AND p.proname = '` + name + `' AND p.prosecdef AND po.rolsuper AND no.rolsuper
		AND NOT p.proretset AND ` + form + `
		AND has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE'))`
}

// presence is the column that says whether a role has no password; NULL where
// that is not shown.
func (r rights) presence() string {
	switch {
	case r.verifier:
		return "a.rolpassword IS NULL"
	case r.none:
		return "rollcall.has_no_password(r.oid)"
	}
	return "NULL::boolean"
}

// lost reports whether the function that was there is not, or not for us, any
// more; what comes next looks without it.
func (r *rights) lost(err error) bool {
	code := codeOf(err)
	if !r.none || r.verifier || code != codeNoFunction && code != codeNoSchema && code != codeInsufficientRight {
		return false
	}
	r.none = false
	return true
}

func (s *server) checkPresence(conn *session, primary bool, add addCheck) {
	if !primary {
		return
	}
	shown := conn.rights.verifier || conn.rights.none
	advice := ""
	if !shown {
		advice = notChecked
	}
	add("passwords", true, "sees whether a role has a password at all: "+yesNo(shown)+orEmpty(!shown, "; a role of which Vault holds no password that it accepts stays open, for it may have none: give the worker's role the function of docs/rights.md"), advice)
}

func orEmpty(say bool, text string) string {
	if say {
		return text
	}
	return ""
}
