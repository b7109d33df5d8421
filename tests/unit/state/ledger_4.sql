-- A ledger of version 4, as it was after a run of: command = 'echo <temperature> <seed> <id> > out.txt; [ <seed> != 3 ]',
-- sweep = { temperature = [280, 300], seed = [1, 2, 3] }, outputs = ['out.txt']; made with sqlite3's iterdump().
BEGIN TRANSACTION;
CREATE TABLE attempts (              -- those that began and have not ended
    manager TEXT NOT NULL, number INTEGER NOT NULL, claim TEXT NOT NULL, PRIMARY KEY (manager, number)
) WITHOUT ROWID;
CREATE TABLE commands (              -- apart from the above, so that counting tasks reads little
    number INTEGER PRIMARY KEY, command BLOB NOT NULL, inputs BLOB NOT NULL, outputs BLOB NOT NULL,
    fingerprint BLOB NOT NULL
);
INSERT INTO "commands" VALUES(1,X'6563686F20323830203120303030303031203E206F75742E7478743B205B203120213D2033205D',X'',X'6F75742E747874',X'31C8B0BC2252337CAC71E3FB');
INSERT INTO "commands" VALUES(2,X'6563686F20323830203220303030303032203E206F75742E7478743B205B203220213D2033205D',X'',X'6F75742E747874',X'D6E03CDC80FD215AE4D2B2A3');
INSERT INTO "commands" VALUES(3,X'6563686F20323830203320303030303033203E206F75742E7478743B205B203320213D2033205D',X'',X'6F75742E747874',X'2686C052AB17DF32F18698FC');
INSERT INTO "commands" VALUES(4,X'6563686F20333030203120303030303034203E206F75742E7478743B205B203120213D2033205D',X'',X'6F75742E747874',X'60A5E1CDB447E41BF4BB3460');
INSERT INTO "commands" VALUES(5,X'6563686F20333030203220303030303035203E206F75742E7478743B205B203220213D2033205D',X'',X'6F75742E747874',X'53DCA552BD1A78BBF4E4EA70');
INSERT INTO "commands" VALUES(6,X'6563686F20333030203320303030303036203E206F75742E7478743B205B203320213D2033205D',X'',X'6F75742E747874',X'794A06AD0CCEE44F8ECD62A8');
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO "facts" VALUES('environment /scratch/s','2002366a');
INSERT INTO "facts" VALUES('root','/scratch/s');
INSERT INTO "facts" VALUES('target','here');
INSERT INTO "facts" VALUES('turn','1065f3f496de8083');
INSERT INTO "facts" VALUES('updated','1795713696.944428');
INSERT INTO "facts" VALUES('updated_clock','d4fa7be7-0c02-4bd3-b6c5-237586bbf85d 42443.393560391');
CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE managers (
    id TEXT PRIMARY KEY, submission INTEGER NOT NULL, host TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0,
    slots INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'unknown', reason TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    offset INTEGER NOT NULL DEFAULT 0,       -- bytes of its cache file that were read
    said INTEGER NOT NULL DEFAULT 0,         -- it said itself that it left: nothing more will come
    beat TEXT NOT NULL DEFAULT '', beat_boot TEXT NOT NULL DEFAULT '', beat_seen REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO "managers" VALUES('1-0-2002366a',1,'vm',22652,2,'left','finished',4,2,888,1,'1','d4fa7be7-0c02-4bd3-b6c5-237586bbf85d',42442.957154817);
CREATE TABLE submissions (           -- each submit that started managers
    number INTEGER PRIMARY KEY, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL,  -- of its part of the plan
    state TEXT NOT NULL, created REAL NOT NULL,
    token TEXT NOT NULL,             -- the name of its job, known before there is one
    job TEXT NOT NULL DEFAULT '',    -- what the scheduler calls it
    boot TEXT NOT NULL DEFAULT '', up REAL NOT NULL DEFAULT 0  -- when its managers were started, by a clock nobody sets
);
INSERT INTO "submissions" VALUES(1,1,6,'started',1.79571369630099964137e+09,'locusts-51f61478bdd5','','d4fa7be7-0c02-4bd3-b6c5-237586bbf85d',42442.749953059);
CREATE TABLE tasks (                 -- what has become of each task
    -- its name on the target; never given twice, for the target may still hold something of a task that was forgotten
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,         -- bytes, for file names need not be UTF-8
    state TEXT NOT NULL DEFAULT 'pending',
    submission INTEGER NOT NULL DEFAULT 0,   -- the submit that planned it last
    manager TEXT, claim TEXT, attempt INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    exit INTEGER, start REAL, seconds REAL, found TEXT NOT NULL DEFAULT '', log INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    collected INTEGER NOT NULL DEFAULT 0,    -- its latest outcome is here
    place BLOB,                              -- where under outdir; set once something of it came back
    lost INTEGER NOT NULL DEFAULT 0,         -- how often its manager was lost while it ran, over all submits
    planned BLOB,   -- the outputs that it was planned with, where its command is another one by now; else NULL
    since INTEGER NOT NULL DEFAULT 0,        -- the submit that planned it as it is; earlier ones ran another command
    bad_node TEXT NOT NULL DEFAULT ''        -- where it failed, and nearly all did; that does not count
);
INSERT INTO "tasks" VALUES(1,X'303030303031','done',1,'1-0-2002366a','000001.1.2002366a',1,1,0,1795713696.48696,8.1441402435302734375e-03,'1',0,'',1,X'303030303031',0,NULL,0,'');
INSERT INTO "tasks" VALUES(2,X'303030303032','done',1,'1-0-2002366a','000002.1.2002366a',1,1,0,1.79571369647901892658e+09,1.22940540313720703125e-02,'1',0,'',1,X'303030303032',0,NULL,0,'');
INSERT INTO "tasks" VALUES(3,X'303030303033','failed',1,'1-0-2002366a','000003.1.2002366a',1,1,1,1.79571369654449796674e+09,1.44579410552978515625e-02,'1',0,'exit 1',1,X'303030303033',0,NULL,0,'');
INSERT INTO "tasks" VALUES(4,X'303030303034','done',1,'1-0-2002366a','000004.1.2002366a',1,1,0,1.79571369656926393509e+09,2.561092376708984375e-03,'1',0,'',1,X'303030303034',0,NULL,0,'');
INSERT INTO "tasks" VALUES(5,X'303030303035','done',1,'1-0-2002366a','000005.1.2002366a',1,1,0,1.7957136965806939602e+09,2.0830631256103515625e-03,'1',0,'',1,X'303030303035',0,NULL,0,'');
INSERT INTO "tasks" VALUES(6,X'303030303036','failed',1,'1-0-2002366a','000006.1.2002366a',1,1,1,1.79571369661517500878e+09,0.00533604621887207,'1',0,'exit 1',1,X'303030303036',0,NULL,0,'');
CREATE TABLE troubles (number INTEGER, output BLOB, message TEXT);
CREATE INDEX tasks_by_state ON tasks (state, collected);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tasks',6);
COMMIT;
PRAGMA user_version = 4;
