package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName = "rollcall"
	namespace   = "default"

	// Closed campaigns stay visible in Temporal this long; the ledger keeps
	// them for good.
	retention = 30 * 24 * time.Hour
)

// searchAttributes are what campaigns are found by. Neither is a secret nor an
// account.
var searchAttributes = map[string]enumspb.IndexedValueType{
	"RollcallDevice":   enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"RollcallCampaign": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
}

// schemaVersion names the schemas, of state and of visibility, that this engine
// makes and can read.
const schemaVersion = sqliteschema.Version + "/" + sqliteschema.VisibilityVersion

// sqliteStore is the one connection to the file at path: SQLite has one writer,
// and more connections halve Temporal's throughput on it.
func sqliteStore(path string) *config.SQL {
	// The plugin puts the path into a URI, where these three mean something.
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: escaped,
		MaxConns:     1,
		MaxIdleConns: 1,
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "WAL",
			"synchronous":  "FULL",
			"busy_timeout": "10000", // milliseconds
		},
	}
}

// prepareDatabase makes the schema in a new file, or refuses a file whose
// schema is not ours, and registers the namespace if it is missing. A crash in
// the middle leaves a file that the next start completes.
func prepareDatabase(store *config.SQL, dir string, logger log.Logger) error {
	file := filepath.Join(dir, "temporal.db")
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindMain, store, resolver.NewNoopResolver(), logger, metrics.NoopMetricsHandler)
	if err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	defer db.Close()
	tables, err := db.ListTables(clusterName)
	if err != nil {
		return fmt.Errorf("reading %s, which may not be a SQLite file: %w", file, err)
	}
	if len(tables) == 0 {
		if err := createSchema(db); err != nil {
			return fmt.Errorf("making Temporal's schema in %s: %w", file, err)
		}
	} else if found, err := db.ReadSchemaVersion(clusterName); err != nil || found != schemaVersion {
		if err != nil {
			found = "unknown"
		}
		return fmt.Errorf("%s has schema %s and this engine needs %s; Temporal cannot convert SQLite files. "+
			"Finish or abort running campaigns with the rollcall version that made it, then move the file away", file, found, schemaVersion)
	}

	ns, err := sqliteschema.NewNamespaceConfig(clusterName, namespace, false, searchAttributes)
	if err != nil {
		return fmt.Errorf("describing namespace %s: %w", namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(store, ns); err != nil {
		return fmt.Errorf("registering namespace %s in %s: %w", namespace, file, err)
	}
	return nil
}

// createSchema writes all tables and their version in one transaction, so that
// a crash leaves an empty file. The store's single connection makes plain BEGIN
// and COMMIT statements a transaction.
func createSchema(db sqlplugin.AdminDB) error {
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := sqliteschema.SetupSchemaOnDB(db)
	if err == nil {
		err = db.CreateSchemaVersionTables()
	}
	if err == nil {
		err = db.UpdateSchemaVersion(clusterName, schemaVersion, schemaVersion)
	}
	if err != nil {
		return errors.Join(err, db.Exec("ROLLBACK"))
	}
	return db.Exec("COMMIT")
}
