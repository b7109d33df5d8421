#WORKDIR : scripts

# Which part of the folder world the tasks need. Indented with tabs.
scripts :
	important_script.sh
	lib : *
calibration : *.txt
measurements : *.txt
	! raw_traces.txt		# big, and no task reads it
sorted : **
	!! **					# the folders alone: what is in them already need not travel
summaries : *
