interface ImportantEvent {
  veryImportantData: string;
}

/** Fails 80 % of the time, so that with one retry 64 % of the runs fail for good. */
export const handler = async (event: ImportantEvent): Promise<string> => {
  if (Math.random() < 0.8) {
    throw new Error("Something went wrong!");
  }
  return `Processed: ${event.veryImportantData}`;
};
