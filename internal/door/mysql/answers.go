package mysql

import (
	"fmt"

	"rollcall/internal/protocol"
)

// The numbers are those of MariaDB 10.11 and MySQL 8
// (https://mariadb.com/kb/en/mariadb-error-code-reference/). What comes after
// the value was compared was tried on MariaDB, with the right value and a wrong
// one.

// atLogin reads an error that answers a login. 1045 is wrong, and unknown, of
// another host, and "not without a certificate". 1698 is 1045 of an account
// whose last method is its Unix socket: of "mysql_native_password … OR
// unix_socket" too, after a wrong value.
func atLogin(e *sqlError) protocol.Reply {
	switch e.number {
	case 1045, 1698: // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR
		if e.state == "28000" {
			return protocol.Refused
		}
	case 1862: // ER_MUST_CHANGE_PASSWORD_LOGIN, to the right value alone
		return protocol.PasswordExpired
	case 4151, // ER_ACCOUNT_HAS_BEEN_LOCKED of MariaDB, to the right value alone
		1044, 1049, // no right to the database, none of that name
		1203, 1226, 1227: // more sessions than the account may have
		return protocol.Restricted
	case 1040: // ER_CON_COUNT_ERROR: of the last free connection, behind the login
		if e.state == "08004" {
			return protocol.Restricted
		}
		return protocol.TooMany
	case 4150, // ER_USER_IS_BLOCKED: max_password_errors, whatever the value
		3118, 3955: // MySQL's "locked" and "blocked by failed logins"
		return protocol.Locked
	case 1053, 1152, 1184: // it shuts down, or ends the connection
		return protocol.Unreachable
	}
	// 1251, 1275: a method of before 4.1. And everything else.
	return protocol.NotThisWay
}

// inSession reads an error to the one statement after a login: the value was
// right.
func inSession(e *sqlError) protocol.Reply {
	if e.number == 1820 { // ER_MUST_CHANGE_PASSWORD
		return protocol.MustChange
	}
	return protocol.Restricted
}

// atGreeting reads an error that comes instead of a greeting: nobody has said
// who he is.
func atGreeting(number uint16) protocol.Reply {
	switch number {
	case 1040, 1129: // all connections are taken; too many broken off from here
		return protocol.TooMany
	case 1053:
		return protocol.Unreachable
	}
	return protocol.NotThisWay // 1130: no account at all is for this host
}

func (e *sqlError) code() string {
	if e.state == "" {
		return fmt.Sprint(e.number)
	}
	return fmt.Sprintf("%d %s", e.number, e.state)
}
