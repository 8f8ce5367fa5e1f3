package main

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

func admin(t *testing.T, dir string) sqlplugin.AdminDB {
	t.Helper()
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindMain, sqliteStore(filepath.Join(dir, "temporal.db")),
		resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	require.NoError(t, err)
	return db
}

func prepare(dir string) error {
	return prepareDatabase(sqliteStore(filepath.Join(dir, "temporal.db")), dir, log.NewNoopLogger())
}

func TestDatabaseOfAnotherSchemaVersionIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	require.NoError(t, prepare(dir), "our own is opened again")

	require.NoError(t, admin(t, dir).UpdateSchemaVersion(clusterName, "0.9/0.1", "0.9/0.1"))
	err := prepare(dir)
	require.ErrorContains(t, err, "has schema 0.9/0.1 and this engine needs "+schemaVersion)
	found, err := admin(t, dir).ReadSchemaVersion(clusterName)
	require.NoError(t, err)
	require.Equal(t, "0.9/0.1", found)
}

func TestDatabaseWithoutAVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, admin(t, dir).Exec("CREATE TABLE of_something_else (id INT)"))
	require.ErrorContains(t, prepare(dir), "has schema unknown")
}

func TestDatabaseWhoseSetUpFailedIsStillEmpty(t *testing.T) {
	dir := t.TempDir()
	db := admin(t, dir)
	// The set-up meets this table in its way after it made many others.
	require.NoError(t, db.Exec("CREATE TABLE schema_version (id INT)"))
	require.Error(t, createSchema(db))
	tables, err := db.ListTables(clusterName)
	require.NoError(t, err)
	require.Equal(t, []string{"schema_version"}, tables)
}

func TestEndpointsAreOnLoopbackAndDifferentAndTheFrontendsIsKept(t *testing.T) {
	for listen, why := range map[string]string{
		"0.0.0.0:7233":    "no authentication",
		"192.0.2.1:7233":  "no authentication",
		"localhost:7233":  "no authentication",
		"127.0.0.1":       "want address:port",
		"127.0.0.1:http":  "not a number",
		"127.0.0.1:70000": "not a number from 0 to 65535",
	} {
		_, err := chooseEndpoints(listen, "", "")
		require.ErrorContains(t, err, why, listen)
		_, err = chooseEndpoints("127.0.0.1:0", listen, "")
		require.ErrorContains(t, err, why, listen)
	}
	first, err := chooseEndpoints("127.0.0.1:0", "127.0.0.1:0", "")
	require.NoError(t, err)
	require.Len(t, first.services, len(services))
	seen := map[endpoint]bool{*first.ui: true}
	for _, e := range first.services {
		require.Falsef(t, seen[e], "%s twice", e)
		seen[e] = true
	}
	again, err := chooseEndpoints("127.0.0.1:0", "", first.frontend().String())
	require.NoError(t, err)
	require.Equal(t, first.frontend(), again.frontend())
	require.Nil(t, again.ui)

	taken, err := net.Listen("tcp", first.frontend().String())
	require.NoError(t, err)
	defer taken.Close()
	moved, err := chooseEndpoints("127.0.0.1:0", "", first.frontend().String())
	require.NoError(t, err)
	require.NotEqual(t, first.frontend(), moved.frontend(), "a kept port that is taken is given up")
	_, err = chooseEndpoints(first.frontend().String(), "", "")
	require.ErrorContains(t, err, "address already in use")
}
