package vault

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASecretPointsAtAHostWhereWhoeverReadsItWouldConnectToIt(t *testing.T) {
	hosts := []string{"192.0.2.10", "esg-01.example.org", "2001:db8::10"}
	for _, points := range []map[string]any{
		{"dsn": "postgres://svc:pw@192.0.2.10:5432/mail"}, {"url": "ldaps://ESG-01.example.org"}, {"host": "esg-01.example.org"}, {"ldap_host": "192.0.2.10:636"},
		{"server": "esg-01.example.org."}, {"dsn": "host=192.0.2.10 user=x password=y"}, {"conn": "Server=tcp:192.0.2.10,1433;Password=y"},
		{"doc": `{"host": "192.0.2.10", "password": "y"}`}, {"doc": map[string]any{"host": "192.0.2.10"}}, {"hosts": "no", "servers": []any{"192.0.2.10", "10.0.0.1"}},
		{"env": "USER=x\nDB_HOST=192.0.2.10\nPASSWORD=y"}, {"yaml": "server: '192.0.2.10'\n"}, {"url": "ldap://[2001:db8::10]:389"}, {"address": "2001:db8::10"},
	} {
		field, host := Live{data: points}.PointsAt(hosts)
		require.NotEmpty(t, field, "%v", points)
		require.Contains(t, hosts, host)
		require.Contains(t, points, field)
	}
	for _, not := range []map[string]any{
		nil, {"password": "192.0.2.10"}, {"host": "192.0.2.100"}, {"host": "1192.0.2.10"}, {"url": "ldaps://esg-01.example.org.evil.net"}, {"url": "ldaps://x-esg-01.example.org"},
		{"username": "svc@esg-01.example.org"}, {"note": "the gateway esg-01.example.org reads this"}, {"url": "ldaps://ldap.example.org"}, {OwnerField: "host=192.0.2.10"}, {"host": nil},
		{"url": "ldaps://ldap.example.org/192.0.2.10"},
	} {
		field, host := Live{data: not}.PointsAt(hosts)
		require.Empty(t, field+host, "%v", not)
	}
}
