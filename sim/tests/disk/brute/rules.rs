//! The rules of the profiles, written out once more.

/// The rules of a profile, written out once more.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules {
    pub(super) system: System,
    /// Whether a sync that lies makes nothing durable; else it is a sync like others.
    pub(super) lies: bool,
    /// Whether it is asked what a sync takes along, and not what a crash may leave.
    pub(super) in_sync: bool,
}

/// Whose rules they are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum System {
    #[default]
    Weak,
    Ext4Ordered,
    Xfs,
    Btrfs,
    Ext4Journal,
}

/// What a failed sync of a file does.
pub(super) enum Failure {
    /// Its pages are clean.
    Clean,
    /// Its pieces were never made.
    Undo,
    /// It says Ok, and its pages are clean; the next sync says that it failed.
    Late,
}

impl Rules {
    pub(super) fn of(profile: &str) -> Rules {
        let system = match profile {
            "posix-weak" | "device-lies" => System::Weak,
            "ext4-ordered" => System::Ext4Ordered,
            "xfs" => System::Xfs,
            "btrfs" => System::Btrfs,
            "ext4-journal" => System::Ext4Journal,
            other => panic!("the rules of {other} are not written out"),
        };
        Rules { system, lies: true, in_sync: false }
    }

    /// Names and truncations are in one journal, sizes wait for what is in it, and files bring
    /// their names along.
    pub(super) fn journal(self) -> bool {
        self.system != System::Weak
    }

    /// The order of the journal binds: not a sync that goes ahead of it.
    pub(super) fn ordered(self) -> bool {
        self.journal() && !(self.in_sync && self.system == System::Btrfs)
    }

    /// A write into a new block waits for nothing, and its size for it; and a rename over a name
    /// takes the sizes of the file along.
    pub(super) fn ext4(self) -> bool {
        self.system == System::Ext4Ordered
    }

    /// A size has the page of its last byte, and is published page by page.
    pub(super) fn last_page(self) -> bool {
        self.system == System::Xfs
    }

    /// A page goes as one, and is metadata.
    pub(super) fn cow(self) -> bool {
        self.system == System::Btrfs
    }

    /// Everything is in one order, page by page.
    pub(super) fn whole(self) -> bool {
        self.system == System::Ext4Journal
    }

    pub(super) fn failure(self) -> Failure {
        match self.system {
            System::Btrfs => Failure::Undo,
            System::Ext4Journal => Failure::Late,
            System::Weak | System::Ext4Ordered | System::Xfs => Failure::Clean,
        }
    }
}
