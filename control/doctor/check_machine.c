/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs, devices and rights: what must be there before anything is started. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/doctor/doctor.h"
#include "control/run/plan.h"
#include "control/run/program.h"

static void check_rights(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->admin) {
		doctor_found(finding, DOCTOR_GOOD, "may configure the network");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "uid %u without CAP_NET_ADMIN", geteuid());
	doctor_means(finding, "networks cannot be made, only used where root has set one up; the "
			      "rules of the host cannot be read");
	doctor_mend(finding, "sudo chnet doctor");
}

/* Looks whether a device can be opened. */
static void check_device(
	const char *path, const char *meaning, const char *module, struct doctor_finding *finding)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		close(fd);
		doctor_found(finding, DOCTOR_GOOD, "%s can be opened", path);
		return;
	}
	doctor_found(finding, DOCTOR_BAD, "%s: %s", path, strerror(errno));
	doctor_means(finding, "%s", meaning);
	if (errno == EACCES || errno == EPERM)
		doctor_mend(
			finding, "ls -l %s; sudo usermod -aG $(stat -c %%G %s) $USER", path, path);
	else
		doctor_mend(finding, "sudo modprobe %s", module);
}

static void check_tun(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_device("/dev/net/tun", "no TAP can be made or opened", "tun", finding);
}

static void check_kvm(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_device("/dev/kvm", "Cloud Hypervisor cannot start a VM",
		"kvm_intel || sudo modprobe "
		"kvm_amd",
		finding);
}

/* Starts `path` --version with its standard output in `output`; a negative errno or the process. */
static pid_t start_version(const char *path, int output)
{
	char *words[] = {(char *)path, (char *)"--version", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return -error;
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawn(&pid, path, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error ? -error : pid;
}

/* Asks the VMM for its version: the first line that it prints; empty when there is none. */
static void read_version(const char *path, char *version, size_t size)
{
	int ends[2];
	pid_t pid;
	FILE *file;

	version[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid = start_version(path, ends[1]);
	close(ends[1]);
	file = fdopen(ends[0], "r");
	if (!file || !fgets(version, (int)size, file))
		version[0] = '\0';
	version[strcspn(version, "\n")] = '\0';
	if (file)
		fclose(file);
	else
		close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void check_vmm(const struct doctor *doctor, struct doctor_finding *finding)
{
	char path[PLAN_PATH_SIZE], version[128];
	int r = program_find(doctor->vmm, path, sizeof(path));

	if (r < 0) {
		doctor_found(finding, DOCTOR_BAD, "%s: %s", doctor->vmm,
			r == -EACCES ? "no program" : "not found");
		doctor_means(finding, "there is nothing to run a VM with");
		doctor_mend(finding,
			"install Cloud Hypervisor, or CHNET_VMM=/path/to/cloud-hypervisor");
		return;
	}
	read_version(path, version, sizeof(version));
	if (version[0]) {
		doctor_found(finding, DOCTOR_GOOD, "%.300s: %s", path, version);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "%.300s does not tell its version", path);
	doctor_means(finding, "it may not be Cloud Hypervisor, or not run here");
	doctor_mend(finding, "%.300s --version", path);
}

static void check_vhost(const struct doctor *doctor, struct doctor_finding *finding)
{
	char path[PLAN_PATH_SIZE];

	if (program_find_beside("chnet-vhost", path, sizeof(path)) == 0) {
		doctor_found(finding, DOCTOR_GOOD, "%.400s", path);
		return;
	}
	doctor_found(finding, DOCTOR_BAD, "neither beside chnet nor in PATH");
	doctor_means(finding, "there is no vhost-user; chnet run takes a TAP");
	doctor_mend(finding, "install chnet-vhost beside chnet");
}

const struct doctor_check doctor_machine_checks[] = {
	{"rights", check_rights},
	{"/dev/net/tun", check_tun},
	{"/dev/kvm", check_kvm},
	{"VMM", check_vmm},
	{"chnet-vhost", check_vhost},
	{NULL, NULL},
};
