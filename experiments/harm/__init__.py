"""What is done to trainings and their files: kills at file operations, full disks, damaged folders and data."""
