package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
)

const someForm = `auth: form, form: "u={login}&p={value}", success: {location: "/home*"}, failure: {status: 200, body: Wrong}`

func TestADoorSaysHowItsValueIsShown(t *testing.T) {
	for text, want := range map[string]door.Settings{
		`type: vault, address: vault.example.org, mount: auth/esg, auth: approle, login: 0f3c-11`: {Address: "vault.example.org:8200", TLS: door.Implicit, Path: "/auth/esg", Auth: door.ByAppRole},
		`type: vault, address: vault.example.org, mount: auth/esg, auth: password`:                {Address: "vault.example.org:8200", TLS: door.Implicit, Path: "/auth/esg"},
		`type: vault, address: vault.example.org, auth: token`:                                    {Address: "vault.example.org:8200", TLS: door.Implicit, Path: "/auth/token", Auth: door.ByToken},
		`type: ssh, address: host.example.org, auth: key, host_key: "` + someHostKey + `"`:        {Address: "host.example.org:22", TLS: door.Itself, HostKey: someHostKey, Auth: door.ByKey},
		`type: https, address: www.example.org, path: /api, auth: bearer`:                         {Address: "www.example.org:443", TLS: door.Implicit, Path: "/api", Auth: door.ByBearer},
		`type: https, address: www.example.org, path: /api, auth: basic`:                          {Address: "www.example.org:443", TLS: door.Implicit, Path: "/api"},
		`type: https, address: www.example.org, path: /api, auth: header, header: X-Api-Key`:      {Address: "www.example.org:443", TLS: door.Implicit, Path: "/api", Auth: door.ByHeader, Header: "X-Api-Key"},
		`type: https, address: www.example.org, path: /login, ` + someForm: {Address: "www.example.org:443", TLS: door.Implicit, Path: "/login", Auth: door.ByForm,
			Form: &door.Form{Body: "u={login}&p={value}", Success: door.Mark{Location: "/home*"}, Failure: door.Mark{Status: 200, Body: "Wrong"}}},
	} {
		c, err := withDoor(t, text)
		require.NoError(t, err, text)
		got := c.Doors["here"]
		require.Equal(t, want, door.Settings{Address: got.Address, TLS: got.TLS, Path: got.Path, HostKey: got.HostKey,
			Auth: got.Auth, Header: got.Header, Form: got.Form}, text)
	}
}

func TestAWayToShowAValueThatDoesNotHoldIsToldWithItsReason(t *testing.T) {
	for text, want := range map[string]string{
		`type: https, address: www.example.org, path: /, auth: digest`:                                                                     "doors.here.auth: unknown: digest; one of basic, bearer, header, form",
		`type: ftp, address: ftp.example.org, auth: form`:                                                                                  "auth: unknown key",
		`type: https, address: www.example.org, path: /, header: X-Api-Key`:                                                                "doors.here.header: goes with auth: header",
		`type: https, address: www.example.org, path: /, auth: header`:                                                                     "doors.here.header: missing: the name of the field that holds the value",
		`type: https, address: www.example.org, path: /, auth: header, header: "X Key"`:                                                    "doors.here.header: must be the name of the field",
		`type: https, address: www.example.org, path: /, auth: header, header: Authorization`:                                              "doors.here.header: holds more than the value: auth: basic or auth: bearer",
		`type: https, address: www.example.org, path: /, auth: header, header: Cookie`:                                                     "doors.here.header: is a field of the request itself",
		`type: https, address: www.example.org, path: /, auth: bearer, login: "{account}"`:                                                 "doors.here.login: has no use here: no name goes with the value (auth: bearer)",
		`type: https, address: www.example.org, path: /, success: {status: 200}`:                                                           "doors.here.success: goes with auth: form",
		`type: https, address: www.example.org, path: /, auth: form`:                                                                       "doors.here.form: missing: what the form sends, with {login} and {value} in it",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}"`:                                                    "doors.here.success: missing: what tells the answer to a good login from others",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}", success: {status: 302}`:                            "doors.here.failure: missing: what tells the answer to a bad login from others",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}", success: {}, failure: {status: 200}`:               "doors.here.success: is empty: what tells",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}", success: {status: 302}, failure: {status: 302}`:    "doors.here.failure: is the same as success",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}", success: {status: 500}, failure: {status: 200}`:    "doors.here.success.status: must be a whole number from 200 to 499",
		`type: https, address: www.example.org, path: /, auth: form, form: "p={value}", success: {location: home}, failure: {status: 200}`: "doors.here.success.location: must be /path or a URL",
		`type: https, address: www.example.org, path: /, auth: form, form: "u={login}", success: {status: 302}, failure: {status: 200}`:    "doors.here.form: must be what the form sends",
		`type: https, address: www.example.org, path: /, auth: form, form: "u={name}&p={value}"`:                                           "doors.here.form: must be what the form sends",
		`type: https, address: www.example.org, path: /, auth: form, form: "u={login}&p={value}&api_token=4711"`:                           "doors.here.form: a secret may not be written into this file",
		`type: https, address: www.example.org, path: /, action: "https://other.example.org/", ` + someForm:                                "doors.here.action: must be the path of a page",
		`type: vault, address: vault.example.org, mount: auth/approle`:                                                                     "doors.here.mount: is the method of auth: approle: say so, or name another",
		`type: vault, address: vault.example.org, mount: auth/token`:                                                                       "doors.here.mount: is the method of auth: token",
		`type: vault, address: vault.example.org, auth: token, mount: auth/userpass`:                                                       "doors.here.mount: has no use here: tokens are looked up at auth/token",
		`type: vault, address: vault.example.org, auth: approle`:                                                                           "doors.here.mount: missing: the login method's mount",
		`type: vault, address: vault.example.org, mount: auth/userpass, login: operator`:                                                   "doors.here.login: says how the login name is made",
		`type: ssh, address: h.example.org, auth: agent, host_key: "` + someHostKey + `"`:                                                  "doors.here.auth: unknown: agent; one of password, key",
	} {
		_, err := withDoor(t, text)
		require.ErrorContains(t, err, want, text)
	}
}
